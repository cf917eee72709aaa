"""How many workers there are to be: the rule, what it is told, and what it writes down."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.settings import Settings, SettingsError, load
from models.jobs import Wish, enqueue_all, fleet
from models.jobs.board import queues
from models.jobs.board_tables import ScalingRow
from models.jobs.fleet import load_of
from models.jobs.limits import Limit
from models.jobs.queues import limit_queue, pause
from models.jobs.scaling import Decision, Load, Scaler, Service, Terms
from models.jobs.tables import JobRow, WorkerRow
from models.orders.jobs import MindPromises
from tasks.queues import QUEUES
from tasks.scaling import Scaling, services_of

HOLD = 300.0
SLOW = Terms(slots=4, patience=timedelta(seconds=120))


class Story:
    """A service with its scaler, and a clock of ten-second looks."""

    def __init__(self, *, least: int = 0, most: int = 10, wanted: int = 0, **queues: Terms) -> None:
        self.scaler = Scaler(
            Service("worker", queues or {"orders": SLOW}, least, most), hold=HOLD, wanted=wanted, at=0
        )
        self.at = 0.0

    def look(self, *, present: int | None = None, after: float = 10, **loads: Load) -> Decision:
        self.at += after
        there = self.scaler.wanted if present is None else present
        return self.scaler.decide(
            loads or {name: Load() for name in self.scaler.service.queues}, there, self.at
        )


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_what_waits_and_what_runs_is_shared_out_among_workers_within_their_bounds():
    story = Story(least=1)

    idle = story.look(orders=Load())
    assert (idle.wanted, idle.why) == (1, "nothing waits or runs; there may be 1 to 10")
    assert story.look(orders=Load(ready=1, running=4)).wanted == 2
    assert story.look(orders=Load(ready=30, running=9)).wanted == 10
    bounded = story.look(orders=Load(ready=300))

    assert bounded.wanted == 10
    assert bounded.why == "300 wait and 0 run in orders, 4 to a worker; there may be 1 to 10"


def test_fewer_are_wanted_only_when_no_more_were_for_the_whole_hold():
    story = Story()

    assert story.look(orders=Load(ready=20)).wanted == 5
    assert story.look(orders=Load(running=5)).wanted == 5
    assert story.look(after=HOLD - 20).wanted == 5
    assert story.look().wanted == 2
    assert story.look().wanted == 0


def test_a_job_that_waits_too_long_although_all_are_there_brings_half_as_many_more_once_a_minute():
    story = Story(wanted=2)
    late = Load(ready=1, running=7, oldest=seconds(130))

    assert story.look(orders=late).wanted == 2, "those who were asked for last are still starting"
    raised = story.look(after=60, orders=late)
    assert raised.wanted == 3
    assert raised.why.endswith("; orders waits too long for that")
    assert story.look(after=60, present=2, orders=late).wanted == 3, "one of them is not there yet"
    assert story.look(orders=late).wanted == 5
    assert story.look(after=60, orders=Load(ready=1, running=7, oldest=seconds(61))).wanted == 5
    story.look(orders=Load(running=7, oldest=seconds(60)))
    assert story.look(after=HOLD, orders=Load(running=7)).wanted == 2


def test_of_queues_that_share_workers_the_one_with_the_greatest_need_decides():
    story = Story(mail=Terms(slots=8, patience=seconds(30)), orders=SLOW)

    decision = story.look(mail=Load(ready=16), orders=Load(ready=9, running=1, oldest=seconds(5)))

    assert (decision.wanted, decision.ready, decision.running, decision.oldest) == (3, 25, 1, seconds(5))
    assert decision.why == "9 wait and 1 run in orders, 4 to a worker"


async def loads(database: Database) -> dict[str, Load]:
    async with database.transaction() as session:
        return {queue.name: load_of(queue, now()) for queue in await queues(session, seconds(8))}


async def test_a_queue_asks_only_for_what_workers_could_begin(database: Database):
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(MindPromises()) for _ in range(6)])
        await session.execute(update(JobRow).values(run_at=now() - seconds(60)))

    free = (await loads(database))["default"]
    assert (free.ready, round(free.oldest.total_seconds())) == (6, 60)
    for limit, ready in ((Limit(max_running=4), 4), (Limit(max_running=9), 6)):
        async with database.transaction() as session:
            await limit_queue(session, "default", limit)
        assert (await loads(database))["default"].ready == ready
    async with database.transaction() as session:
        await pause(session, "default")
    assert (await loads(database))["default"] == Load()


async def look(database: Database, scaling: Scaling, at: float) -> dict[str, int]:
    async with database.transaction() as session:
        return {one.service: one.wanted for one in await scaling.look(session, at)}


async def written(database: Database, service: str) -> list[int]:
    async with database.transaction() as session:
        rows = await session.scalars(
            select(ScalingRow.wanted).where(ScalingRow.service == service).order_by(ScalingRow.at)
        )
        return list(rows)


async def test_only_changes_are_written_and_whoever_acts_next_begins_with_what_stands(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SCALING_BACKEND", "ecs")
    monkeypatch.setenv("ECS_CLUSTER", "galley-staging")
    monkeypatch.setenv("ECS_REGION", "eu-central-1")
    settings = load()
    async with database.transaction() as session:
        # A worker of all queues is none of the service; one that is silent or goes is not there.
        for queues, beat in (
            ({"default": 4}, now()),
            ({"default": 4}, now() - seconds(60)),
            ({"default": 4, "mail": 8}, now()),
        ):
            session.add(WorkerRow(id=new_id(), host="ada", pid=7, queues=queues, beat_at=beat))
        await enqueue_all(session, [Wish(MindPromises()) for _ in range(9)])
    first = Scaling(settings)

    assert (await look(database, first, 0))["worker-default"] == 3
    assert (await look(database, first, 10))["worker-default"] == 3
    async with database.transaction() as session:
        await session.execute(delete(JobRow))
        (row,) = await session.scalars(select(ScalingRow).where(ScalingRow.service == "worker-default"))
        assert (row.ready, row.running, row.present, row.wanted) == (9, 0, 1, 3)
    second = Scaling(settings)

    assert (await look(database, second, 20))["worker-default"] == 3
    assert (await look(database, second, 321))["worker-default"] == 1
    assert await written(database, "worker-default") == [3, 1]
    assert await written(database, "worker-reports") == [0]


async def test_what_is_in_force_is_never_forgotten(database: Database):
    row = {"ready": 0, "running": 0, "oldest": timedelta(), "present": 0, "why": ""}
    async with database.transaction() as session:
        for days, wanted in ((90, 4), (60, 2)):
            at = now() - timedelta(days=days)
            await session.execute(insert(ScalingRow).values(service="worker", at=at, wanted=wanted, **row))
        await fleet.forget_decisions(session)

    assert await written(database, "worker") == [2]


def test_every_queue_has_one_service_wherever_it_runs():
    assert [(one.name, one.least, one.most) for one in services_of("metrics")] == [("worker", 1, 10)]
    for backend in ("metrics", "ecs", "local"):
        services = services_of(backend)
        assert sorted(queue for one in services for queue in one.queues) == sorted(QUEUES)
        assert all(0 <= one.least < one.most for one in services)
    assert {one.name: one.least for one in services} == {"worker": 1, "worker-reports": 0}


def test_to_scale_on_aws_without_a_cluster_is_refused_by_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    assert settings.scaling.scaling_backend == "none"
    monkeypatch.setenv("SCALING_BACKEND", "ecs")

    with pytest.raises(SettingsError) as refusal:
        load()

    for name in ("ECS_CLUSTER", "ECS_REGION"):
        assert f"{name}: Value error, is not set, but SCALING_BACKEND is ecs" in str(refusal.value)
