"""What becomes of a job: completed, tried again, buried, snoozed, given back."""

import asyncio
import mmap
import sys
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text
from taskiq import TaskiqMiddleware

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs.actions import LostLease, complete, hold, rescue
from models.jobs.dead import retry
from models.jobs.progress import read
from models.jobs.states import JobState
from models.jobs.store import Fence, Store
from models.jobs.tables import AttemptRow, JobRow, LogRow
from tasks.heartbeat import memory_bytes
from tasks.testing import run_everything, working
from tasks.worker import status_of
from tasks.world import World
from tests.jobs.asking import ask, row_of
from tests.jobs.messages import CREATE, Impatient, Mourn, Play


@pytest.fixture
async def effects(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text(CREATE))


async def words(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list((await session.execute(text("select words from effects order by id"))).scalars())


async def test_a_runner_s_writes_and_its_job_s_completion_are_one(world: World, effects: None) -> None:
    job = await ask(world.database, Play(act="count"))
    await run_everything(world)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt, row.result, row.error) == (JobState.COMPLETED, 1, {"answer": 42}, None)
    assert row.finished_at is not None
    assert row.started_at is not None
    assert await words(world.database) == ["done"]


async def test_a_runner_that_writes_nothing_is_completed_by_the_engine(world: World) -> None:
    jobs = [await ask(world.database, Play(act="return")) for _ in range(30)]
    await run_everything(world)
    rows = [await row_of(world.database, job) for job in jobs]
    assert {(row.state, row.attempt, str(row.result)) for row in rows} == {
        (JobState.COMPLETED, 1, "{'answer': 42}")
    }


async def test_a_hiccup_is_tried_again_and_leaves_its_traces(world: World) -> None:
    job = await ask(world.database, Play(act="hiccup"))
    await run_everything(world, hurry=True)
    assert (await row_of(world.database, job)).attempt == 3
    async with world.database.transaction() as session:
        attempts = (await session.execute(select(AttemptRow).order_by(AttemptRow.attempt))).scalars().all()
    assert [(one.attempt, one.outcome, one.error, one.traceback) for one in attempts] == [
        (1, "failed", "not yet", None),
        (2, "failed", "not yet", None),
    ]


@pytest.mark.slow
async def test_a_middleware_of_taskiq_s_hears_of_an_error(world: World) -> None:
    heard = asyncio.Event()

    class Ears(TaskiqMiddleware):
        def on_error(self, *_told: Any) -> None:
            heard.set()

    async with working(world) as receiver, asyncio.timeout(10):
        receiver.broker.add_middlewares(Ears())
        await ask(world.database, Play(act="hiccup"))
        await heard.wait()


async def test_the_last_failure_buries_the_job_and_asks_for_what_was_to_follow(
    world: World, effects: None
) -> None:
    job = await ask(world.database, Play(act="fault"), when_dead=Mourn(name="Hamlet"))
    await run_everything(world, hurry=True)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt, row.error) == (JobState.DEAD, 3, "ZeroDivisionError: by zero")
    async with world.database.transaction() as session:
        last = await session.get_one(AttemptRow, (job, 3))
    assert last.outcome == "dead"
    assert 'raise ZeroDivisionError("by zero")' in str(last.traceback)
    assert await words(world.database) == ["mourned Hamlet"]


async def test_a_refusal_is_never_retried(world: World) -> None:
    job = await ask(world.database, Play(act="refuse"))
    await run_everything(world, hurry=True)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt, row.error) == (JobState.DEAD, 1, "it is too late for that")


async def test_arguments_that_do_not_fit_are_a_refusal(world: World) -> None:
    job = await ask(world.database, Play(act="return"))
    async with world.database.transaction() as session:
        await session.execute(text("""update jobs set args = '{"act": 7}'"""))
    await run_everything(world)
    row = await row_of(world.database, job)
    assert row.state is JobState.DEAD
    assert "Expected `str`, got `int`" in str(row.error)


async def test_whoever_is_let_run_again_begins_with_the_shortest_pause(world: World) -> None:
    job = await ask(world.database, Impatient())
    await run_everything(world, hurry=True)
    async with world.database.transaction() as session:
        await retry(session, job)
    await run_everything(world)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt) == (JobState.SCHEDULED, 3)
    assert row.run_at - now() < timedelta(minutes=11)


async def test_a_snooze_spends_no_attempt(world: World) -> None:
    job = await ask(world.database, Play(act="snooze"))
    await run_everything(world, hurry=True)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt) == (JobState.COMPLETED, 1)
    assert row.snoozes == 1


async def test_a_job_that_takes_too_long_is_cut_off_and_tried_again_when_its_message_says(
    world: World,
) -> None:
    job = await ask(world.database, Impatient())
    await run_everything(world)
    row = await row_of(world.database, job)
    words = "It was cut off: it took longer than 0.1 seconds."
    assert (row.state, row.error) == (JobState.SCHEDULED, words)
    assert timedelta(minutes=9) < row.run_at - now() <= timedelta(minutes=10)
    await run_everything(world, hurry=True)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt, row.error) == (JobState.DEAD, 2, words)


async def test_a_kind_that_this_release_does_not_know_waits_for_one_that_does(world: World) -> None:
    job = await ask(world.database, Play(act="return"))
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set kind = 'test.from_the_future'"))
    await run_everything(world)
    row = await row_of(world.database, job)
    assert (row.state, row.attempt) == (JobState.SCHEDULED, 0)
    assert row.run_at > now() + timedelta(seconds=20)


async def test_a_higher_priority_goes_first_and_a_long_wait_outweighs_it(world: World, effects: None) -> None:
    plain = await ask(world.database, Play(act="count"))
    later = await ask(world.database, Play(act="count"))
    urgent = await ask(world.database, Play(act="count"), priority=0)
    patient = await ask(world.database, Play(act="count"), priority=9)
    async with world.database.transaction() as session:
        await session.execute(
            text("update jobs set rank_at = rank_at - interval '50 minutes' where id = :id"), {"id": patient}
        )
    store = Store(world.settings.database.url, new_id(), "test")
    order = [(await store.claim({"test": 1}))[0].id for _ in range(4)]
    await store.close()
    assert order == [patient, urgent, plain, later]


async def test_arguments_that_only_a_newer_release_knows_wait_for_it_and_spend_nothing(world: World) -> None:
    await ask(world.database, Play(act="return"))
    async with world.database.transaction() as session:
        await session.execute(text("""update jobs set args = args || '{"colour": "red"}'"""))
    await run_everything(world)
    async with world.database.transaction() as session:
        job = (await session.scalars(select(JobRow))).one()
        assert (job.state, job.attempt, job.snoozes) == (JobState.SCHEDULED, 0, 1)
        job.created_at -= timedelta(hours=2)
    await run_everything(world, hurry=True)
    async with world.database.transaction() as session:
        job = (await session.scalars(select(JobRow))).one()
    assert (job.state, "colour" in str(job.error)) == (JobState.DEAD, True)


async def test_a_worker_s_status_line_says_how_it_is(world: World) -> None:
    await ask(world.database, Play(act="return"))
    await ask(world.database, Play(act="refuse"))
    status = status_of(await run_everything(world))
    assert status["queues"]["test"] == 4
    assert [status[name] for name in ("running", "completed", "failed", "dead")] == [0, 1, 0, 1]
    assert status["memory_mb"] > 10


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the system tells only of the most that was held"
)
def test_the_memory_of_a_worker_is_what_it_holds_now() -> None:
    """And not the most that it has ever held, which a worker would carry with it for as long as it lives."""
    large = 64_000_000
    with mmap.mmap(-1, large) as held:
        held.write(b"x" * large)
        most = memory_bytes()
    assert memory_bytes() < most - large / 2


async def test_slots_bound_what_runs_at_once(world: World, effects: None) -> None:
    for _ in range(6):
        await ask(world.database, Play(act="sleep", seconds=0.2))
    most = 0
    async with working(world, {"test": 2}) as receiver:
        while len(await words(world.database)) < 6:
            most = max(most, len(receiver.running))
            await asyncio.sleep(0.01)
    assert most == 2


async def test_a_paused_queue_is_not_claimed_from(world: World) -> None:
    await ask(world.database, Play(act="return"))
    store = Store(world.settings.database.url, new_id(), "test")
    async with world.database.transaction() as session:
        await session.execute(text("insert into job_queues (name, paused_at) values ('test', now())"))
    assert await store.claim({"test": 5}) == []
    async with world.database.transaction() as session:
        await session.execute(text("update job_queues set paused_at = null"))
    assert len(await store.claim({"test": 5})) == 1
    await store.close()


async def test_a_late_writer_writes_nothing(world: World) -> None:
    """Claimed, taken for dead, claimed by another: the first one's writes are refused, the second one's count."""
    await ask(world.database, Play(act="return"))
    first, second = (Store(world.settings.database.url, new_id(), "test") for _ in range(2))
    [claim] = await first.claim({"test": 1})
    async with world.database.transaction() as session:
        assert await rescue(session, timedelta(seconds=1)) == [claim.id]
    [again] = await second.claim({"test": 1})
    assert (again.id, again.attempt) == (claim.id, 2)
    late = Fence(claim.id, claim.attempt, first.worker_id)
    for verb in (hold, complete):
        with pytest.raises(LostLease):
            async with world.database.transaction() as session:
                await verb(session, late)
    assert await first.complete([(claim.id, claim.attempt, None)]) == set()
    await first.release(claim.id, claim.attempt)
    await first.disown([(claim.id, claim.attempt)])
    assert await second.complete([(claim.id, again.attempt, None)]) == {claim.id}
    await first.close()
    await second.close()


async def test_progress_and_log_lines_are_seen_while_it_runs_and_kept_afterwards(
    world: World, redis: Redis
) -> None:
    job = await ask(world.database, Play(act="talk"))
    seen: set[str | None] = set()
    async with working(world):
        while (await row_of(world.database, job)).state is not JobState.COMPLETED:
            if shown := await read(redis, job):
                seen.add(shown.words)
            await asyncio.sleep(0.05)
    assert seen & {"step 1", "step 2"}
    row = await row_of(world.database, job)
    assert (row.done, row.total, row.words) == (3, 3, "step 3")
    async with world.database.transaction() as session:
        lines = (await session.execute(select(LogRow.line).order_by(LogRow.id))).scalars().all()
    assert lines == ["line 1", "line 2", "line 3"]


async def test_without_redis_a_bell_rings_through_postgresql(
    world: World, redis_server: Any, effects: None
) -> None:
    # A worker that looks for itself once in twenty seconds only: what it does sooner, it was told of.
    jobs = world.settings.jobs.model_copy(update={"poll_seconds": 20})
    settings = world.settings.model_copy(update={"jobs": jobs})
    async with working(World(settings, world.database, world.redis, world.keys, world.post)):
        await asyncio.sleep(0.5)
        redis_server.stop()
        try:
            for _ in range(3):
                await ask(world.database, Play(act="count"))
            async with asyncio.timeout(5):
                while len(await words(world.database)) < 3:
                    await asyncio.sleep(0.01)
        finally:
            redis_server.restart()


async def test_draining_gives_back_what_does_not_end_in_time(world: World, effects: None) -> None:
    settings = world.settings.model_copy(
        update={"jobs": world.settings.jobs.model_copy(update={"drain_seconds": 0.3})}
    )
    hasty = World(settings, world.database, world.redis, world.keys, world.post)
    long = await ask(world.database, Play(act="sleep", seconds=30))
    short = await ask(world.database, Play(act="sleep", seconds=0.2))
    async with working(hasty) as receiver:
        while len(receiver.running) < 2:
            await asyncio.sleep(0.01)
    row = await row_of(world.database, long)
    assert (row.state, row.attempt, row.worker_id) == (JobState.WAITING, 0, None)
    assert (await row_of(world.database, short)).state is JobState.COMPLETED
