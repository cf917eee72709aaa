"""Where a job stands that comes back to its queue: put off, failed, retried, taken back from a dead worker."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Temporary
from models.jobs import enqueue
from models.jobs.actions import Failure, fail, rescue, snooze
from models.jobs.dead import duplicate, promote, retry
from models.jobs.message import Backoff
from models.jobs.progress import Progress
from models.jobs.queries import snoozes_of
from models.jobs.rules import LONGEST_SILENCE
from models.jobs.states import JobState
from models.jobs.store import Claim, Fence, Store
from models.jobs.tables import AttemptRow, JobRow
from tasks.runs import Attempt
from tasks.settling import Settler
from tasks.world import World
from tests.jobs.asking import row_of
from tests.jobs.messages import Play

NOISY, QUIET = "person/noisy", "person/quiet"
STEP = timedelta(minutes=5)
SOON = timedelta(seconds=2)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    one = Store(world.settings.database.url, new_id(), "a worker of the tests")
    await one.arrive("test", 1, "{}")
    yield one
    await one.close()


async def ask(database: Database, **wishes: Any) -> UUID:
    async with database.transaction() as session:
        job_id = await enqueue(session, Play(act="return"), **wishes)
    assert job_id is not None
    return job_id


async def claim(store: Store, count: int = 1) -> list[Claim]:
    return await store.claim({"test": count})


def fence_of(store: Store, one: Claim) -> Fence:
    return Fence(one.id, one.attempt, store.worker_id)


async def test_whoever_comes_back_keeps_the_allowance_of_its_priority(world: World, store: Store) -> None:
    """Last among equals is last again: a failure is no way to the front."""
    failed, snoozed, lost = [await ask(world.database, priority=9) for _ in range(3)]
    claims = {one.id: fence_of(store, one) for one in await claim(store, 3)}
    async with world.database.transaction() as session:
        await fail(session, claims[failed], Failure("no"), Backoff())
        await snooze(session, claims[snoozed], SOON, "It rains.")
        await session.execute(text("update job_workers set beat_at = now() - interval '1 hour'"))
        assert await rescue(session, SOON) == [lost]
    for job_id in (failed, snoozed, lost):
        row = await row_of(world.database, job_id)
        assert row.rank_at - row.run_at == 9 * STEP


async def test_an_attempt_that_failed_says_when_it_began(world: World, store: Store) -> None:
    await ask(world.database)
    [one] = await claim(store)
    async with world.database.transaction() as session:
        await fail(session, fence_of(store, one), Failure("no"), Backoff())
        attempt = await session.get_one(AttemptRow, (one.id, 1))
    assert attempt.started_at == one.started_at


async def test_jobs_of_a_share_that_are_tried_again_take_turns_like_new_ones(
    world: World, store: Store
) -> None:
    """Dead jobs of somebody noisy are retried, copied or fail again: somebody quiet waits for one of them."""
    database = world.database
    dead = [await ask(database, share=NOISY) for _ in range(8)]
    async with database.transaction() as session:
        await session.execute(text("update jobs set state = 'dead', finished_at = now()"))
    async with database.transaction() as session:
        for job_id in dead[:4]:
            await retry(session, job_id)
        for job_id in dead[4:]:
            await duplicate(session, job_id, new_id())
    later = await ask(database, share=NOISY, run_at=now() + timedelta(hours=1))
    async with database.transaction() as session:
        await promote(session, later)
    quiet = await ask(database, share=QUIET)
    assert {one.id for one in await claim(store, 2)} == {dead[0], quiet}


async def test_a_share_whose_jobs_fail_does_not_have_all_the_turns(world: World, store: Store) -> None:
    database = world.database
    for _ in range(6):
        await ask(database, share=NOISY)
    for one in await claim(store, 5):
        async with database.transaction() as session:
            await fail(session, fence_of(store, one), Failure("no"), Backoff())
    async with database.transaction() as session:
        await session.execute(text("update jobs set state = 'waiting' where state = 'scheduled'"))
    quiet = await ask(database, share=QUIET)
    assert quiet in [one.id for one in await claim(store, 2)]


async def test_however_often_a_job_is_put_off_there_is_one_row_for_each_attempt(
    world: World, store: Store
) -> None:
    """A job of a kind that nobody knows is put off every 30 seconds for as long as it is there."""
    job_id = await ask(world.database)
    for why in ("It rains.", "It snows."):
        await change(world.database, f"{READY}, snoozes = 32766 where attempt = 0")
        [one] = await claim(store)
        async with world.database.transaction() as session:
            await snooze(session, fence_of(store, one), SOON, why)
    await change(world.database, READY)
    [one] = await claim(store)
    async with world.database.transaction() as session:
        await snooze(session, fence_of(store, one), SOON, "It hails.")
        await session.execute(text("update jobs set attempt = 1, state = 'waiting'"))
    [one] = await claim(store)
    async with world.database.transaction() as session:
        await snooze(session, fence_of(store, one), SOON, "It thaws.")
        first, second = await snoozes_of(session, job_id)
    assert [(row.attempt, row.times, row.why) for row in (first, second)] == [
        (1, 3, "It hails."),
        (2, 1, "It thaws."),
    ]
    assert (first.until - first.at, second.at) == (SOON, second.first_at)
    assert first.first_at < first.at < second.at
    assert (await row_of(world.database, job_id)).snoozes == 32767


class PaidPlay(Play, frozen=True):
    kind: ClassVar[str] = "test.play_for_money"
    holds_money: ClassVar[bool] = True


async def settle_429(world: World, store: Store) -> JobRow:
    """Claim the only job, and let its runner meet a 429."""
    [one] = await claim(store)
    settler = Settler(world, store.worker_id, {Play.kind: Play, PaidPlay.kind: PaidPlay}, lambda _: None)
    attempt = Attempt(one, fence_of(store, one), Progress(one.id, one.attempt, one.max_attempts))
    crowded = Temporary("429", timedelta(seconds=60), is_crowded=True)
    await settler.settle(attempt, None, crowded)
    return await row_of(world.database, one.id)


async def change(database: Database, words: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"update jobs set {words}"))


READY = "state = 'waiting', blocked_by = null"


async def test_the_patience_with_429s_begins_with_the_first_of_them(world: World, store: Store) -> None:
    """Neither a backlog of hours nor having been retried after days counts: nothing was asked of the provider then."""
    database = world.database
    job_id = await ask(database, limit="model/writer")
    await change(database, "created_at = now() - interval '3 hours', run_at = now() - interval '3 hours'")
    row = await settle_429(world, store)
    assert (row.state, row.attempt, row.snoozes) == (JobState.SCHEDULED, 0, 1)
    # Two hours later, of which it has stood in line for all but ten minutes.
    later = "crowded_at = crowded_at - interval '2 hours', run_at = now() - interval '110 minutes'"
    await change(database, f"{READY}, {later}")
    row = await settle_429(world, store)
    assert (row.attempt, row.snoozes) == (0, 2)
    async with database.transaction() as session:
        [put_off] = await snoozes_of(session, job_id)
    assert (put_off.times, put_off.why) == (2, "model/writer was asked too often (429).")
    # And an hour of nothing but 429: from now on attempts are spent, one by one.
    for attempt in (1, 2, 3):
        await change(database, f"{READY}, crowded_at = crowded_at - interval '1 hour', run_at = now()")
        row = await settle_429(world, store)
        assert (row.attempt, row.snoozes) == (attempt, 2)
    assert row.state is JobState.DEAD
    async with database.transaction() as session:
        await retry(session, job_id)
    row = await settle_429(world, store)
    assert (row.state, row.attempt, row.snoozes) == (JobState.SCHEDULED, 3, 3)


async def test_who_has_paid_is_not_given_back_their_money_for_a_day_of_429s(
    world: World, store: Store
) -> None:
    async with world.database.transaction() as session:
        await enqueue(session, PaidPlay(act="return"), limit="model/writer")
    await settle_429(world, store)
    for hours, attempt in ((23, 0), (1, 1)):
        spent = f"crowded_at = crowded_at - interval '{hours} hours', run_at = now()"
        await change(world.database, f"{READY}, {spent}")
        assert (await settle_429(world, store)).attempt == attempt


async def test_the_patience_begins_afresh_with_an_attempt_that_came_to_another_end(
    world: World, store: Store
) -> None:
    database = world.database
    await ask(database, limit="model/writer")
    await settle_429(world, store)
    await change(database, f"{READY}, crowded_at = now() - interval '2 hours', run_at = now()")
    [one] = await claim(store)
    async with database.transaction() as session:
        await snooze(session, fence_of(store, one), SOON, "It rains.")
    await change(database, f"{READY}, run_at = now()")
    row = await settle_429(world, store)
    assert (row.attempt, row.snoozes) == (0, 3)


async def test_whoever_asks_for_a_day_of_silence_is_asked_again_sooner(world: World, store: Store) -> None:
    """Paid work would wait for a day. A backoff of our own may be longer."""
    database, day = world.database, timedelta(days=1)
    crowded, failed, slow = [await ask(database) for _ in range(3)]
    fences = {one.id: fence_of(store, one) for one in await claim(store, 3)}
    async with database.transaction() as session:
        await snooze(session, fences[crowded], day, "It is crowded.", is_crowded=True)
        await fail(session, fences[failed], Failure("429"), Backoff(), day, is_crowded=True)
        await fail(session, fences[slow], Failure("429"), lambda _: day, day, is_crowded=True)
    runs_at = [(await row_of(database, one)).run_at - now() for one in (crowded, failed, slow)]
    assert runs_at[0] <= LONGEST_SILENCE
    assert runs_at[1] <= LONGEST_SILENCE < runs_at[2]
