"""A Terraform provider that knows a schema and nothing else: `provider.py SCHEMA SOCKET ADDRESS`.

It speaks Terraform's plugin protocol 6 over a Unix socket. Every resource can be planned and applied; what AWS would
compute is made up. Terraform itself then finds unknown attributes, wrong references, missing blocks and impossible
types. It does not look at values: an engine version "seventeen" passes here (`facts.py` has words for such things).
"""

# ruff: noqa: N802 - the methods have the names of the protocol

import gzip
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
import msgpack
from tf.gen import grpc_controller_pb2, grpc_controller_pb2_grpc, tfplugin_pb2, tfplugin_pb2_grpc

NESTING: Final = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
#: How the protocol writes a value that is not known before it is applied.
UNKNOWN: Final = msgpack.ExtType(0, b"\x00")
#: Resources are told apart in made-up ARNs by the first of these that they have.
NAMES: Final = ("name", "family", "identifier", "bucket", "alarm_name", "replication_group_id")

Json = dict[str, Any]
Make = Callable[[Any, str], Any]


class Provider:
    """Answers each call of the protocol by its name; what it has not got, it calls unimplemented."""

    def __init__(self, schema: Json) -> None:
        self._schema = schema
        answer = tfplugin_pb2.GetProviderSchema.Response()
        answer.provider.block.CopyFrom(_described(schema["provider"]["block"]))
        for kind in ("resource_schemas", "data_source_schemas"):
            for name, one in schema[kind].items():
                getattr(answer, kind)[name].block.CopyFrom(_described(one["block"]))
        self._described = answer

    def __getattr__(self, call: str) -> Callable[[Any, Any], Any]:
        """Calls that ask whether something is in order are told that it is."""
        if call.startswith(("Validate", "Configure", "Stop", "GetFunctions")):
            return lambda _request, _context: getattr(tfplugin_pb2, call).Response()
        return lambda _request, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, call)

    def GetProviderSchema(self, _request: Any, _context: Any) -> Any:
        return self._described

    def UpgradeResourceState(self, request: Any, _context: Any) -> Any:
        state = tfplugin_pb2.DynamicValue(json=request.raw_state.json)
        return tfplugin_pb2.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, _context: Any) -> Any:
        return tfplugin_pb2.ReadResource.Response(new_state=request.current_state)

    def ReadDataSource(self, request: Any, _context: Any) -> Any:
        given = msgpack.unpackb(request.config.msgpack)
        if request.type_name == "aws_iam_policy_document":
            found = given | {"json": _policy(given), "id": "1"}
        else:
            block = self._schema["data_source_schemas"][request.type_name]["block"]
            found = _filled(block, given, lambda kind, name: _made_up(kind, name, request.type_name))
        return tfplugin_pb2.ReadDataSource.Response(state=_packed(found))

    def PlanResourceChange(self, request: Any, _context: Any) -> Any:
        block = self._schema["resource_schemas"][request.type_name]["block"]
        planned = _filled(
            block, msgpack.unpackb(request.proposed_new_state.msgpack), lambda _kind, _name: UNKNOWN
        )
        return tfplugin_pb2.PlanResourceChange.Response(planned_state=_packed(planned))

    def ApplyResourceChange(self, request: Any, _context: Any) -> Any:
        block = self._schema["resource_schemas"][request.type_name]["block"]
        planned = msgpack.unpackb(request.planned_state.msgpack)
        if planned is not None:
            name = next((planned[one] for one in NAMES if isinstance(planned.get(one), str)), "one")
            planned = _filled(
                block, planned, lambda kind, of: _made_up(kind, of, f"{request.type_name}/{name}")
            )
        return tfplugin_pb2.ApplyResourceChange.Response(new_state=_packed(planned))


class Controller:
    """Terraform asks it to stop; the one who started us does that."""

    def Shutdown(self, _request: Any, _context: Any) -> Any:
        return grpc_controller_pb2.Empty()


def _packed(value: Any) -> Any:
    return tfplugin_pb2.DynamicValue(msgpack=msgpack.packb(value))


def _described(block: Json) -> Any:
    """The block in the protocol's words."""
    told = tfplugin_pb2.Schema.Block()
    for name, one in sorted(block["attributes"].items()):
        flags = {flag: one.get(flag, False) for flag in ("required", "optional", "computed")}
        told.attributes.add(name=name, type=json.dumps(one["type"]).encode(), **flags)
    for name, one in sorted(block["block_types"].items()):
        limits = {limit: one.get(limit, 0) for limit in ("min_items", "max_items")}
        nested = told.block_types.add(type_name=name, nesting=NESTING[one["nesting_mode"]], **limits)
        nested.block.CopyFrom(_described(one["block"]))
    return told


def _filled(block: Json, value: Json | None, make: Make) -> Json | None:
    """The value with `make(type, name)` in each place that AWS would fill: computed, and not given or not known yet."""
    if value is None:
        return None
    value = dict(value)
    for name, one in block["attributes"].items():
        is_open = value.get(name) is None or value[name] == UNKNOWN
        if is_open and one.get("computed"):
            value[name] = make(one["type"], name)
    for name, one in block["block_types"].items():
        inside = value.get(name)
        if isinstance(inside, list):
            value[name] = [part if part == UNKNOWN else _filled(one["block"], part, make) for part in inside]
        elif isinstance(inside, dict) and one["nesting_mode"] != "map":
            value[name] = _filled(one["block"], inside, make)
    return value


def _made_up(kind: Any, name: str, where: str) -> Any:
    """A value of this type, as AWS might give it to what is `where`."""
    if isinstance(kind, list):
        shape, of = kind
        if shape == "object":
            return {key: _made_up(one, key, where) for key, one in of.items()}
        if shape == "map":
            return {}
        number = 3 if of == "string" else 1 if isinstance(of, list) and of[0] == "object" else 0
        return [_made_up(of, f"{name}{index}", where) for index in range(number)]
    if kind == "string":
        if name.endswith("arn"):
            return f"arn:aws:made-up:eu-central-1:123456789012:{where}"
        return "123456789012" if name == "account_id" else f"made-up-{where}-{name}"
    return {"number": 0, "bool": False}.get(kind)


def _policy(document: Json) -> str:
    """What the real data source renders: enough of it to look at actions, resources, principals and conditions."""
    statements: list[Json] = []
    for one in document.get("statement") or []:
        statement: Json = {"Sid": one.get("sid"), "Effect": one.get("effect") or "Allow"}
        statement["Action"] = sorted(one.get("actions") or [])
        statement["Resource"] = sorted(one.get("resources") or [])
        for principal in one.get("principals") or []:
            statement.setdefault("Principal", {})[principal["type"]] = sorted(principal["identifiers"])
        for condition in one.get("condition") or []:
            test = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
            test[condition["variable"]] = condition["values"]
        statements.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main(arguments: Iterable[str]) -> None:
    """Serve until asked to end; say on standard output how terraform reaches us."""
    schema, socket, address = arguments
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    described = json.loads(gzip.decompress(Path(schema).read_bytes()))
    tfplugin_pb2_grpc.add_ProviderServicer_to_server(Provider(described), server)
    grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(Controller(), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    reached = {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": {"Network": "unix", "String": socket},
    }
    print(json.dumps({address: reached}), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(grace=0)


if __name__ == "__main__":
    main(sys.argv[1:])
