"""What a worker does when two things happen to it at once: nothing that it has claimed is forgotten or counted twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import delete, text
from structlog.testing import capture_logs

from models.base import tracing
from models.base.db import new_id
from models.base.metrics import JOBS_WAIT_SECONDS
from models.jobs import enqueue
from models.jobs.alerts import subject_of
from models.jobs.board_tables import AlertRow
from models.jobs.cancelling import cancel
from models.jobs.jobs import TellOfAlert
from models.jobs.limits import Limit
from models.jobs.queues import limit_queue
from models.jobs.states import AlertKind, JobState
from models.jobs.tables import WorkerRow
from tasks.alarm import tell
from tasks.heartbeat import Heartbeat
from tasks.testing import run_everything, working
from tasks.world import World
from tests.jobs.asking import ask, row_of
from tests.jobs.messages import Play
from tests.jobs.test_hostile_ends import Misbehave


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of a process that is told to make some."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("galley"))
    return kept


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(4):
        while not await is_so():
            await asyncio.sleep(0.005)


async def test_what_is_claimed_begins_although_somebody_holds_another_queues_gate(world: World) -> None:
    """As a worker does that was frozen on its way through."""
    database = world.database
    async with database.transaction() as session:
        await limit_queue(session, "wool", Limit(1))
    job = await ask(database, Play(act="return"))
    frozen = await asyncpg.connect(world.settings.database.url)
    async with frozen.transaction():
        await frozen.execute("select pg_advisory_xact_lock(hashtextextended('queue/wool', 0))")
        working_on_both = working(world, {"test": 1, "wool": 1})
        await working_on_both.__aenter__()

        async def is_completed() -> bool:
            return (await row_of(database, job)).state is JobState.COMPLETED

        await until(is_completed)
    await working_on_both.__aexit__(None, None, None)
    await frozen.close()


async def test_who_may_have_blocked_a_worker_is_named(world: World) -> None:
    """Who still runs by the time that others have a turn, and who has ended by then."""
    with capture_logs() as lines:
        async with working(world, {"test": 2}) as receiver:
            receiver.reporter.blocked_after = 0.1
            asked = [Play(act="deaf", seconds=0.4), Play(act="block", seconds=0.4)]
            jobs = [await ask(world.database, one) for one in asked]

            async def are_told() -> bool:
                told = (one["jobs"] for one in lines if one["event"] == "worker.blocked")
                return {f"test.play {job}" for job in jobs} in [set(names) for names in told]

            await until(are_told)


async def test_a_job_that_is_stopped_before_its_first_step_keeps_no_slot(world: World) -> None:
    """Whoever looks for what is to be stopped may do so in the moment in which it begins."""
    database = world.database
    async with working(world, {"wool": 1}) as receiver:
        job = await ask(database, Play(act="tidy", seconds=60))
        [claim] = await receiver.claiming.store.claim({"test": 1})
        async with database.transaction() as session:
            await cancel(session, job)
        receiver._begin(claim)
        receiver.cancel(job)
        await asyncio.sleep(0)
        assert receiver.running[job].is_begun
        await receiver.reconcile()

        async def is_free() -> bool:
            return not receiver.running

        await until(is_free)
        assert receiver.claiming.busy.total() == 0
    assert (await row_of(database, job)).state is JobState.CANCELLED


async def test_a_completion_counts_once_it_is_written(world: World, spans: InMemorySpanExporter) -> None:
    """One that is refused is a failure, and nothing besides; it ends no worker that tells its traces to somebody."""
    await ask(world.database, Misbehave(act="returns a NUL"))
    good = await ask(world.database, Play(act="return"))
    with capture_logs():
        receiver = await run_everything(world, hurry=True)
    assert receiver.counts == {"completed": 1, "failed": 1, "dead": 1}
    told = [one.attributes for one in spans.get_finished_spans() if one.attributes]
    assert Counter(one["outcome"] for one in told) == receiver.counts
    assert {one["correlation_id"] for one in told if one["outcome"] == "completed"} == {str(good)}


async def test_a_completion_that_comes_too_late_is_counted_as_lost(world: World) -> None:
    database = world.database
    job = await ask(database, Play(act="deaf", seconds=0.05))
    async with working(world, {"test": 1}) as receiver:

        async def is_running() -> bool:
            return job in receiver.running

        await until(is_running)
        async with database.transaction() as session:
            await session.execute(text("update jobs set worker_id = gen_random_uuid()"))
        with capture_logs():

            async def is_over() -> bool:
                return receiver.counts.total() == 1

            await until(is_over)
    assert receiver.counts == {"lost": 1}
    assert (await row_of(database, job)).state is JobState.ACTIVE


async def test_who_asks_with_a_clock_that_is_ahead_takes_nothing_from_what_others_have_waited(
    world: World,
) -> None:
    def waited() -> float:
        found = JOBS_WAIT_SECONDS.labels("test").collect()
        return sum(one.value for family in found for one in family.samples if one.name.endswith("_sum"))

    before = waited()
    await ask(world.database, Play(act="return"))
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set run_at = now() + interval '1 minute', rank_at = now()"))
    await run_everything(world)
    assert waited() >= before


async def test_alerts_are_told_without_workers_by_a_process_that_tells_its_traces_to_somebody(
    world: World, spans: InMemorySpanExporter
) -> None:
    async with world.database.transaction() as session:
        for name in ("ada", "bob"):
            alert = AlertRow(id=new_id(), kind=AlertKind.DEAD_WORKER, subject=name, words=f"{name} is dead.")
            session.add(alert)
            told = TellOfAlert(alert_id=alert.id, is_over=False)
            await enqueue(session, told, subject=subject_of(alert.id))
    with capture_logs():
        assert await tell(world) == 2
    told_of = [one.attributes for one in spans.get_finished_spans() if one.attributes]
    assert [one["outcome"] for one in told_of] == ["completed", "completed"]


async def test_a_worker_that_was_forgotten_is_known_again_with_its_first_beat(world: World) -> None:
    """What it claims until then would be given to somebody else while it runs."""
    jobs = world.settings.jobs.model_copy(update={"lease_seconds": 4})
    settings, worker_id = world.settings.model_copy(update={"jobs": jobs}), new_id()
    heartbeat = Heartbeat(settings, worker_id, {}, lambda: 0)
    await asyncio.to_thread(heartbeat.start)
    try:
        async with world.database.transaction() as session:
            await session.execute(delete(WorkerRow))
        async with asyncio.timeout(1.9):  # it beats once in this time

            async def is_known() -> bool:
                async with world.database.transaction() as session:
                    return await session.get(WorkerRow, worker_id) is not None

            await until(is_known)
    finally:
        await asyncio.to_thread(heartbeat.stop)
