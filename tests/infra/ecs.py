"""A small ECS on loopback: services, revisions of tasks, and tasks that run once. It speaks Amazon's JSON protocol."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

CLUSTER = "galley-staging"
#: Tasks that are no service.
ONCE = ("release", "role")
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


class Cluster:
    """What the cluster knows, and how it behaves: `exit_code` of tasks that run once, `turned_back` services."""

    def __init__(self, *kinds: str) -> None:
        self.exit_code = 0
        self.turned_back: set[str] = set()
        self.calls: list[str] = []
        self.revisions: dict[str, list[dict[str, Any]]] = {}
        self.services: dict[str, dict[str, Any]] = {}
        self.ran: list[str] = []
        for kind in (*kinds, *ONCE):
            image = [{"name": "product", "image": "galley:first", "command": [kind]}]
            revision = self.RegisterTaskDefinition(
                {"family": f"{CLUSTER}-{kind}", "containerDefinitions": image}
            )
            if kind not in ONCE:
                self.services[kind] = {
                    "serviceName": kind,
                    "status": "ACTIVE",
                    "taskDefinition": revision["taskDefinition"]["taskDefinitionArn"],
                    "networkConfiguration": NETWORK,
                    "desiredCount": 1,
                    "runningCount": 1,
                    "deployments": [{"status": "PRIMARY"}],
                }
        self.calls.clear()

    def image(self, service: str) -> str:
        """What the service runs."""
        family, _, number = self.services[service]["taskDefinition"].rpartition("/")[2].rpartition(":")
        return str(self.revisions[family][int(number) - 1]["containerDefinitions"][0]["image"])

    def answer(self, call: str, given: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(call)
        found: dict[str, Any] = getattr(self, call)(given)
        return found

    def RegisterTaskDefinition(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Amazon's name
        known = self.revisions.setdefault(given["family"], [])
        arn = f"arn:aws:ecs:eu-central-1:1:task-definition/{given['family']}:{len(known) + 1}"
        known.append({**given, "taskDefinitionArn": arn, "revision": len(known) + 1, "status": "ACTIVE"})
        return {"taskDefinition": known[-1]}

    def DescribeTaskDefinition(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"taskDefinition": self.revisions[given["taskDefinition"]][-1]}

    def DescribeServices(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert len(given["services"]) <= 10
        return {"services": [self.services[one] for one in given["services"] if one in self.services]}

    def UpdateService(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        service = self.services[given["service"]]
        if given["service"] not in self.turned_back:
            service |= {key: given[key] for key in ("taskDefinition", "desiredCount") if key in given}
        return {"service": service}

    def RunTask(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert given["networkConfiguration"] == NETWORK
        self.ran.append(given["taskDefinition"])
        return {"tasks": [{"taskArn": "arn:aws:ecs:eu-central-1:1:task/1"}], "failures": []}

    def DescribeTasks(self, _given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        containers = [{"name": "product", "exitCode": self.exit_code}]
        return {"tasks": [{"lastStatus": "STOPPED", "containers": containers}]}


@contextmanager
def ecs(cluster: Cluster) -> Iterator[Any]:
    """A client of boto3 that speaks with this cluster."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(cluster.answer(self.headers["X-Amz-Target"].partition(".")[2], given)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    client = boto3.client(
        "ecs",
        endpoint_url=f"http://127.0.0.1:{server.server_address[1]}",
        region_name="eu-central-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )
    try:
        yield client
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()
