"""Cancelling: what waits ends at once, what runs is asked to stop and may clean up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict, NotFound
from models.jobs import enqueue
from models.jobs.actions import rescue
from models.jobs.alerts import Thresholds, alerts, watch
from models.jobs.cancelling import cancel
from models.jobs.dead import retry, retry_all
from models.jobs.states import AlertKind, JobState
from models.jobs.store import Store
from models.jobs.tables import AttemptRow, JobRow, WorkerRow
from models.jobs.waiting import why_waiting
from tasks.receiver import JobReceiver
from tasks.testing import working
from tasks.world import World
from tests.jobs.asking import row_of
from tests.jobs.messages import CREATE, Play

HOUR_LATER = text(
    "update jobs set state = 'scheduled', run_at = now() + interval '1 hour' where state = 'waiting'"
)


async def ask(database: Database, act: str, seconds: float = 30) -> UUID:
    async with database.transaction() as session:
        job = await enqueue(session, Play(act=act, seconds=seconds))
    assert job is not None
    return job


async def stop(database: Database, job: UUID) -> JobState:
    async with database.transaction() as session:
        return await cancel(session, job)


@asynccontextmanager
async def running(world: World, job: UUID) -> AsyncIterator[JobReceiver]:
    async with working(world) as receiver, asyncio.timeout(10):
        while job not in receiver.running:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        yield receiver


async def ended(receiver: JobReceiver) -> None:
    while receiver.running:
        await asyncio.sleep(0.005)


async def test_what_has_not_begun_is_cancelled_at_once(database: Database) -> None:
    first, second = await ask(database, "return"), await ask(database, "return")
    assert await stop(database, first) is JobState.CANCELLED
    async with database.transaction() as session:
        await session.execute(HOUR_LATER)
    assert await stop(database, second) is JobState.CANCELLED
    row = await row_of(database, first)
    assert (row.state, row.error, row.attempt) == (JobState.CANCELLED, "Cancelled before it was done.", 0)
    with pytest.raises(Conflict, match="cancelled already"):
        await stop(database, first)
    with pytest.raises(NotFound):
        await stop(database, new_id())


async def test_a_job_for_which_somebody_has_paid_is_not_cancelled(database: Database) -> None:
    job = await ask(database, "return")
    async with database.transaction() as session:
        await session.execute(text("update jobs set is_held = true"))
    with pytest.raises(Conflict, match="somebody who has paid"):
        await stop(database, job)


async def test_what_runs_is_asked_to_stop_and_may_clean_up(world: World) -> None:
    async with world.database.transaction() as session:
        await session.execute(text(CREATE))
    job = await ask(world.database, "tidy")
    async with running(world, job) as receiver:
        assert await stop(world.database, job) is JobState.ACTIVE
        await ended(receiver)
    row = await row_of(world.database, job)
    assert (row.state, row.error, row.attempt) == (JobState.CANCELLED, "Cancelled while it ran.", 1)
    async with world.database.transaction() as session:
        assert (await session.get_one(AttemptRow, (job, 1))).outcome == "cancelled"
        assert (await session.execute(text("select words from effects"))).scalars().all() == ["tidied up"]


async def test_a_runner_that_does_not_stop_in_time_is_cancelled_without_it(world: World) -> None:
    job = await ask(world.database, "deaf", seconds=30)
    async with running(world, job) as receiver:
        receiver.cancel_grace = 0.1
        await stop(world.database, job)
        await ended(receiver)
        assert receiver.counts["cancelled"] == 1
    assert (await row_of(world.database, job)).state is JobState.CANCELLED


async def test_what_does_not_stop_is_told_and_runs_nowhere_else_meanwhile(world: World) -> None:
    database, lease = world.database, timedelta(seconds=30)
    thresholds = Thresholds(waiting=100, oldest=timedelta(hours=1), dead=100, lease=lease)
    job = await ask(database, "unstoppable", seconds=0.7)
    async with running(world, job) as receiver:
        receiver.slots = {"test": 1}
        store = Store(world.settings.database.url, receiver.worker_id, "beats")
        await store.arrive("a-host", 7, '{"test": 1}')
        receiver.cancel_grace = 0.05
        await stop(database, job)
        while (await row_of(database, job)).state is not JobState.CANCELLED:
            await asyncio.sleep(0.01)
        assert (receiver.lingering, list(receiver.running)) == ({job}, [job])
        with pytest.raises(Conflict, match="while it ran, and does not stop"):
            async with database.transaction() as session:
                await retry(session, job)
        async with database.transaction() as session:
            assert await retry_all(session, [job]) == set()
            other = await enqueue(session, Play(act="return"))
            assert other is not None
            [reason] = await why_waiting(session, await session.get_one(JobRow, other), lease)
            assert "All 1 slots of the queue test are taken, 1 of them by cancelled jobs" in reason.words
            await session.execute(
                text("update jobs set finished_at = now() - interval '2 minutes' where id = :id"), {"id": job}
            )
            await watch(session, thresholds)
            [alert] = await alerts(session)
            assert (alert.kind, alert.subject) == (AlertKind.SLOW, f"jobs/{job}")
            assert "was cancelled and does not stop" in alert.words
        await ended(receiver)
        await store.beat(0, None, list(receiver.lingering), is_draining=False)
        async with database.transaction() as session:
            await watch(session, thresholds)
            assert await alerts(session) == []
            await retry(session, job)
        await store.close()


async def test_what_went_on_in_a_worker_that_died_may_run_again(database: Database) -> None:
    job = await ask(database, "return")
    await stop(database, job)
    async with database.transaction() as session:
        worker = {"id": new_id(), "host": "gone", "pid": 7, "queues": {}, "lingering": [job]}
        await session.execute(insert(WorkerRow).values(**worker, beat_at=now() - timedelta(seconds=9)))
        with pytest.raises(Conflict, match="does not stop"):
            await retry(session, job)
        await rescue(session, timedelta(seconds=8))
        await retry(session, job)


async def test_a_worker_that_did_not_hear_of_it_looks_for_itself(world: World) -> None:
    job = await ask(world.database, "sleep")
    async with running(world, job) as receiver:
        async with world.database.transaction() as session:  # as `cancel` does, without its bell
            await session.execute(text("update jobs set cancel_asked_at = now(), blocked_by = 'cancel'"))
        await receiver.reconcile()
        await ended(receiver)
    assert (await row_of(world.database, job)).state is JobState.CANCELLED


async def test_a_cancelled_job_that_comes_back_is_not_run_again(world: World) -> None:
    """Its worker was gone before it could stop it: given back, it is not claimed, and swept up."""
    job = await ask(world.database, "return")
    store = Store(world.settings.database.url, new_id(), "test")
    [claim] = await store.claim({"test": 1})
    assert await stop(world.database, job) is JobState.ACTIVE
    await store.release(claim.id, claim.attempt)
    assert await store.claim({"test": 1}) == []
    async with working(world) as receiver:
        await receiver.reconcile()
    await store.close()
    row = await row_of(world.database, job)
    assert row.state is JobState.CANCELLED
    assert row.finished_at is not None
    assert row.finished_at <= now()
