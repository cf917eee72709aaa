"""On AWS: ECS is told what was decided, as moto plays it, and its agent is asked to let busy workers be."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import boto3
import pytest
from moto.server import ThreadedMotoServer

from models.base.settings import load
from models.base.settings.running import ScalingSettings
from models.jobs import Job, enqueue
from models.jobs.scaling import Decision
from tasks.protection import protect
from tasks.runs import Work, runs
from tasks.scaling import AGAIN, Ecs
from tasks.testing import working
from tasks.world import World

CLUSTER, REGION = "galley-staging", "eu-central-1"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of an AWS that has nothing in it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def wish(service: str, wanted: int) -> Decision:
    return Decision(service, ready=0, running=0, oldest=timedelta(), present=0, wanted=wanted, why="")


@pytest.mark.slow
def test_ecs_has_the_tasks_that_are_wanted_and_is_asked_again_for_what_it_refused(
    moto: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    aws = boto3.client("ecs", region_name=REGION, endpoint_url=moto)
    aws.create_cluster(clusterName=CLUSTER)
    image = {"name": "product", "image": "galley", "cpu": 256, "memory": 512}
    aws.register_task_definition(family="worker", containerDefinitions=[image])

    def create(service: str) -> None:
        aws.create_service(cluster=CLUSTER, serviceName=service, taskDefinition="worker", desiredCount=0)

    def desired(service: str) -> int:
        (found,) = aws.describe_services(cluster=CLUSTER, services=[service])["services"]
        return int(found["desiredCount"])

    create("worker-reports")
    ecs = Ecs(
        ScalingSettings(scaling_backend="ecs", ecs_cluster=CLUSTER, ecs_region=REGION, ecs_endpoint_url=moto)
    )

    both = [wish("worker-mail", 2), wish("worker-reports", 3)]
    ecs.become(both, at=0)
    assert desired("worker-reports") == 3
    create("worker-mail")
    aws.update_service(cluster=CLUSTER, service="worker-reports", desiredCount=1)
    ecs.become(both, at=10)
    assert (desired("worker-mail"), desired("worker-reports")) == (2, 1), "only what is new is asked for"
    ecs.become(both, at=AGAIN)
    assert desired("worker-reports") == 3, "what somebody else has changed is corrected in time"
    ecs.become([wish("worker-reports", 0)], at=AGAIN + 10)
    assert desired("worker-reports") == 0
    aws.close()


class Grind(Job, frozen=True):
    """Goes on until it is let go."""

    kind: ClassVar[str] = "test.grind"
    timeout: ClassVar[timedelta] = timedelta(minutes=30)


class Blink(Job, frozen=True):
    """As `Grind`, but never for longer than the grace."""

    kind: ClassVar[str] = "test.blink"
    timeout: ClassVar[timedelta] = timedelta(seconds=20)


LET_GO = asyncio.Event()


@runs(Grind)
async def grind(_job: Grind, _work: Work) -> None:
    await LET_GO.wait()


@runs(Blink)
async def blink(_job: Blink, _work: Work) -> None:
    await LET_GO.wait()


class Agent:
    """The agent of ECS beside a task: what it was asked, and how it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []

    def put(self, path: str, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert path == "/api/task-1/task-protection/v1/state"
        self.asked.append(wish)
        return self.answers.pop(0) if self.answers else (200, {"protection": wish})


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    one = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            status, answer = one.put(
                self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            )
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("ECS_AGENT_URI", f"http://127.0.0.1:{server.server_address[1]}/api/task-1")
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


async def until(count: int, found: Any) -> None:
    async with asyncio.timeout(20):
        while len(found) != count:
            await asyncio.sleep(0.005)


async def test_a_worker_is_protected_while_a_job_may_outlast_the_grace(world: World, agent: Agent):
    LET_GO.clear()
    async with working(world, {"default": 4}) as receiver:
        protecting = asyncio.create_task(protect(receiver, load(), pause=0.01))
        async with world.database.transaction() as session:
            await enqueue(session, Blink())
        await until(1, receiver.running)
        await asyncio.sleep(0.05)
        assert agent.asked == []
        async with world.database.transaction() as session:
            await enqueue(session, Grind())
        await until(1, agent.asked)
        LET_GO.set()
        await until(2, agent.asked)
        protecting.cancel()

    assert agent.asked == [
        {"ProtectionEnabled": True, "ExpiresInMinutes": 60},
        {"ProtectionEnabled": False},
    ]


@pytest.mark.parametrize(
    "answer",
    [(200, {"failure": {"Reason": "DEPLOYMENT_BLOCKED"}}), (400, {"error": {"Code": "AccessDenied"}})],
)
async def test_a_refused_worker_works_on_and_does_not_insist(
    world: World, agent: Agent, answer: tuple[int, dict[str, Any]]
):
    agent.answers.append(answer)
    LET_GO.clear()
    async with working(world, {"default": 4}) as receiver:
        protecting = asyncio.create_task(protect(receiver, load(), pause=0.01))
        async with world.database.transaction() as session:
            await enqueue(session, Grind())
        await until(1, agent.asked)
        await asyncio.sleep(0.05)
        LET_GO.set()
        await until(0, receiver.running)
        protecting.cancel()

    assert len(agent.asked) == 1


async def test_elsewhere_nobody_is_asked(world: World):
    async with working(world, {"default": 1}) as receiver:
        await protect(receiver, world.settings)
