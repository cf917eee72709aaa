"""What must be true of an applied state, and neither Terraform nor checkov looks at.

Container definitions, firewall rules and actions are held against AWS's own descriptions of its interfaces, which
botocore carries.
"""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import botocore.session
from botocore.validate import ParamValidator
from pydantic import SecretStr

from models.base.settings import Settings
from models.base.settings.group import prefix_of

Json = dict[str, Any]

#: The memory, in MiB, that Fargate has for each number of CPU units.
FARGATE: Final = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
}
LONGEST_STOP: Final = 120
#: How every text begins that `provider.py` puts where nothing was given.
MADE_UP: Final = "made-up-"
#: Actions that are no call of an interface.
NO_CALLS: Final = frozenset({"iam:PassRole", "s3:ListBucket"})
INTERFACES: Final = {"ses": "sesv2"}
_VERSION: Final = {"postgres": r"1[4-9]", "valkey": r"[78]\.\d"}
_CLASS: Final = r"(db|cache)\.[a-z]\d[a-z]*\.\w+"


def broken(state: Json) -> list[str]:
    """What is not as it must be in the output of `terraform show -json`, each with its address."""
    found: list[str] = []
    for one in state["values"]["root_module"]["resources"]:
        look = LOOKS.get(one["type"])
        complaints = [*(look(one["values"]) if look else ()), *_policies(one["values"])]
        found += [f"{one['address']}: {complaint}" for complaint in complaints]
    return found


def _task(values: Json) -> Iterator[str]:
    containers = json.loads(values["container_definitions"])
    members = _interface("ecs").operation_model("RegisterTaskDefinition").input_shape.members
    yield from _complaints(containers, members["containerDefinitions"])
    if int(values["memory"]) not in FARGATE.get(int(values["cpu"]), ()):
        yield f"Fargate has no task of {values['cpu']} units and {values['memory']} MiB"
    for container in containers:
        if container.get("privileged"):
            yield "runs privileged, which Fargate refuses"
        if not container.get("readonlyRootFilesystem"):
            yield "can write to its root"
        if container.get("user", "0").partition(":")[0] in {"0", "root"}:
            yield "runs as root"
        if container.get("stopTimeout", 0) > LONGEST_STOP:
            yield f"Fargate kills after {LONGEST_STOP} s at the latest"
        for name in {one["name"] for one in container.get("environment", ())} & secret_names():
            yield f"{name} stands in the open"


def _firewall(values: Json) -> Iterator[str]:
    members = _interface("wafv2").operation_model("CreateWebACL").input_shape.members
    yield from _complaints(json.loads(values["rule_json"]), members["Rules"])


def _database(values: Json) -> Iterator[str]:
    given = values.get("password") or MADE_UP
    if values.get("manage_master_user_password") is not True or not given.startswith(MADE_UP):
        yield "its password must be made and kept by RDS alone"
    yield from _server(values["engine"], values["engine_version"], values["instance_class"])


def _cache(values: Json) -> Iterator[str]:
    yield from _server(values["engine"], values["engine_version"], values["node_type"])


def _server(engine: str, version: str, size: str) -> Iterator[str]:
    if not re.fullmatch(_VERSION.get(engine, ""), version):
        yield f"{engine} {version!r} is no version that we know"
    if not re.fullmatch(_CLASS, size):
        yield f"{size!r} is no class of server"


def _policies(values: Json) -> Iterator[str]:
    """Every action that a policy names exists, and none is allowed without a limit but for the key's own account."""
    for text in (values.get("policy"), values.get("assume_role_policy")):
        if not isinstance(text, str) or '"Statement"' not in text:
            continue
        for statement in json.loads(text)["Statement"]:
            for action in statement["Action"]:
                if action == "*" or (action.endswith(":*") and statement["Effect"] == "Allow"):
                    if (action, statement["Sid"]) != ("kms:*", "Account"):
                        yield f"allows {action}"
                elif not _is_action(action):
                    yield f"there is no action {action}"


def _is_action(action: str) -> bool:
    service, _, name = action.partition(":")
    if action in NO_CALLS or name == "*":
        return True
    pattern = re.compile(name.replace("*", r"\w*"))
    return any(
        pattern.fullmatch(call) for call in _interface(INTERFACES.get(service, service)).operation_names
    )


def _complaints(value: Any, shape: Any) -> Iterator[str]:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield report.generate_report()


@functools.cache
def _interface(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def secret_names() -> set[str]:
    """The variables whose values nobody may read."""
    found = set()
    for info in Settings.model_fields.values():
        group: Any = info.annotation
        for name, field in group.model_fields.items():
            if SecretStr.__name__ in str(field.annotation):
                found.add(f"{prefix_of(group)}{name}".upper())
    return found | {"DATABASE_URL", "REDIS_URL"}


LOOKS: Final = {
    "aws_ecs_task_definition": _task,
    "aws_wafv2_web_acl": _firewall,
    "aws_db_instance": _database,
    "aws_elasticache_replication_group": _cache,
}
