"""What is pasted at night works: commands that AWS's own descriptions know, words of our shell, pages that are there."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import botocore.session
import pytest
from botocore import xform_name

from infra.local.processes import ROOT
from models.base.settings import Settings
from models.base.settings.example import example
from web.app import create_app

SHELL = (ROOT / "infra" / "aws" / "shell.sh").read_text()
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("deploy.md", "runbooks.md")}
#: Of the command line itself, and not of an interface.
ITS_OWN = {"s3 mb", "ecr get-login-password"}
EVERYWHERE = {"query", "output"}
#: What is no word of our shell.
PROGRAMS = {"aws", "curl", "docker", "helm", "kubectl", "make", ".", "until", "sed", "{", "sleep"}


def blocks(page: str) -> Iterator[str]:
    """The commands of a page: what is indented as code, and neither Terraform's settings nor a workflow."""
    for found in re.findall(r"(?:^ *\n)((?:^(?: {4,}.*)?\n)+)", page, re.MULTILINE):
        text = "\n".join(line.strip() for line in found.splitlines())
        if text.strip() and not re.match(r"\s*(settings =|on: |fields |[*-] |\d+\. )", text):
            yield text


def commands(text: str) -> Iterator[str]:
    """Each command, in one line."""
    for line in text.replace("\\\n", " ").splitlines():
        yield re.sub(r" +#.*", "", line).strip()


def calls() -> list[str]:
    """Each call of AWS's command line, from the name of the service to its end."""
    joined = "\n".join([*PAGES.values(), SHELL]).replace("\\\n", " ")
    pieces = re.split(r"(?<![\w`/.-])aws (?=[a-z0-9]+ [a-z]+-?)", joined)[1:]
    return [re.split(r"\n| \| | && |; |\) <|`", piece)[0] for piece in pieces]


def test_aws_knows_each_command_and_each_of_its_options():
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    checked = set()
    for call in calls():
        service, operation, *words = call.split()
        if f"{service} {operation}" in ITS_OWN:
            continue
        service = service.removesuffix("api")
        model = session.get_service_model(service)
        if operation == "wait":
            waiters = loader.load_service_model(service, "waiters-2")["waiters"]
            name = {xform_name(one, "-"): about["operation"] for one, about in waiters.items()}[words[0]]
        else:
            name = {xform_name(one, "-"): one for one in model.operation_names}[operation]
        shape = model.operation_model(name).input_shape
        assert shape is not None
        options = set(re.findall(r"(?<!\S)--([a-z-]+)", call)) - EVERYWHERE
        assert {one.removeprefix("no-") for one in options} <= {
            xform_name(one, "-") for one in shape.members
        }, call
        assert {xform_name(one, "-") for one in shape.required_members} <= options, call
        checked.add(operation)
    assert len(checked) > 15


def test_the_shell_can_read_what_is_pasted_and_knows_each_word():
    known = set(re.findall(r"^(\w+)\(\)", SHELL, re.MULTILINE)) | PROGRAMS
    pasted = [text for page in PAGES.values() for text in blocks(page)]

    assert len(pasted) > 15
    for text in [SHELL, *pasted]:
        read = subprocess.run(["bash", "-n"], input=text, text=True, check=False, capture_output=True)
        assert read.returncode == 0, f"{text}\n{read.stderr}"
    for text in pasted:
        for line in commands(text):
            first = line.split(" ", 1)[0]
            assert not line or re.match(r"\w+=", first) or first in known, line


#: In place of AWS: a task that ends as it is told to.
AWS = """
aws() {
  case "$2" in
    run-task) printf '%s\\n' "$@" >&2; echo arn:aws:ecs:eu-central-1:1:task/galley-production/ab12 ;;
    get-log-events) echo "$6" ;;
    describe-tasks) printf 'Essential container in task exited\\t%s\\n' "$ENDS" ;;
  esac
}
"""


def bash(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What comes of a program in our shell, where there is no AWS."""
    return subprocess.run(
        ["bash", "-c", f"{AWS}\n. infra/aws/shell.sh production\ntf() {{ echo {{}}; }}\n{program}"],
        cwd=ROOT,
        env=os.environ | environment,
        text=True,
        check=False,
        capture_output=True,
    )


def test_the_shell_names_an_environment_as_terraform_does():
    said = bash('echo "$cluster $domain $AWS_REGION" $(workers); value bucket backend.hcl')

    queues = "worker-mail worker-payments worker-orders worker-webhooks worker-reports worker-default"
    assert (
        said.stdout == f"galley-production shop.example.com eu-central-1 {queues}\nexample-galley-terraform\n"
    )


@pytest.mark.parametrize("status", ["0", "1", "None"])
def test_a_task_that_runs_once_shows_its_log_and_fails_if_it_did(status: str):
    done = bash("once release models.accounts admin 'a \"b'", ENDS=status)
    (overrides,) = re.findall(r"--overrides\n(.*)", done.stderr)
    (container,) = json.loads(overrides)["containerOverrides"]

    assert container == {"name": "product", "command": ["python", "-m", "models.accounts", "admin", 'a "b']}
    assert done.stdout == f"release/product/ab12\nEssential container in task exited\t{status}\n"
    assert (done.returncode == 0) == (status == "0")


def test_every_page_that_is_named_is_there(settings: Settings):
    routes = [
        re.sub(r"{\w+(:\w+)?}", "[^/]+", route.path)
        for route in create_app(settings).routes
        if ":path}" not in route.path  # they answer to whatever is nowhere
    ]
    named = {
        path for page in PAGES.values() for path in re.findall(r"`(/(?:admin|health|webhooks)[^`]*)`", page)
    }

    assert len(named) > 5
    for path in named:
        assert any(re.fullmatch(route, path) for route in routes), path


def test_every_setting_and_output_that_is_named_is_there():
    settings = set(re.findall(r"^([A-Z0-9_]+)=", example(), re.MULTILINE))
    outputs = set(
        re.findall(r'^output "(\w+)"', (ROOT / "infra/terraform/outputs.tf").read_text(), re.MULTILINE)
    )
    text = "\n".join([*PAGES.values(), SHELL])

    assert set(re.findall(r"\bput ([A-Z0-9_]+)", text)) <= settings
    assert set(re.findall(r"\btf output (?:-raw )?(\w+)", text)) <= outputs


def test_platforms_that_look_for_requirements_find_those_of_the_image():
    (line,) = (one for one in (ROOT / "requirements.txt").read_text().splitlines() if not one.startswith("#"))
    flag, path = shlex.split(line)

    assert (flag, (ROOT / path).name) == ("-r", "image.lock")
    assert (ROOT / path).is_file()
