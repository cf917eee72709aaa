"""Jobs whose worker dies with them: the one that kills it is buried, and nobody is buried for having stood beside it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs.actions import Failure, fail, rescue
from models.jobs.message import Backoff
from models.jobs.queries import snoozes_of
from models.jobs.states import JobState
from models.jobs.store import DIED, Claim, Fence, Store
from models.jobs.tables import JobRow
from models.jobs.waiting import why_waiting
from tasks.testing import working
from tasks.world import World
from tests.jobs.asking import ask, row_of
from tests.jobs.messages import Play

PLAY = Play(act="return")


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    one = Store(world.settings.database.url, new_id(), "a worker of the tests")
    yield one
    await one.close()


async def held(store: Store, count: int) -> list[Claim]:
    """What a worker that lives holds next."""
    await store.arrive("test", 1, "{}")
    return await store.claim({"test": count})


async def dies(store: Store, database: Database) -> None:
    """The worker is gone, and what it held is taken back."""
    await store.leave()
    async with database.transaction() as session:
        await rescue(session, timedelta(hours=1))


async def states_of(database: Database, jobs: list[UUID]) -> list[tuple[JobState, int, int]]:
    rows = [await row_of(database, one) for one in jobs]
    return [(row.state, row.attempt, row.max_attempts) for row in rows]


async def test_whoever_dies_alone_under_suspicion_is_buried_and_its_neighbours_are_not(
    world: World, store: Store
) -> None:
    database = world.database
    jobs = [await ask(database, PLAY) for _ in range(3)]
    for _ in range(2):
        assert not [one for one in await held(store, 3) if one.is_suspect]
        await dies(store, database)
    async with database.transaction() as session:
        reasons = await why_waiting(session, await session.get_one(JobRow, jobs[0]), timedelta(hours=1))
    assert "suspect" in {one.what for one in reasons}
    # All at once, as when the worker dies while it still gives the others back: it may have been any of them.
    assert [one.is_suspect for one in await held(store, 3)] == [True] * 3
    await dies(store, database)
    assert await states_of(database, jobs) == [(JobState.WAITING, 3, 4)] * 3
    assert [one.id for one in await held(store, 1)] == jobs[:1]
    await dies(store, database)
    assert await states_of(database, jobs) == [(JobState.DEAD, 4, 4), *[(JobState.WAITING, 3, 4)] * 2]


async def test_a_last_attempt_that_a_dead_worker_took_is_given_back(world: World, store: Store) -> None:
    job = await ask(world.database, PLAY)
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set attempt = 2"))
    await held(store, 1)
    await dies(store, world.database)
    assert await states_of(world.database, [job]) == [(JobState.WAITING, 3, 4)]


async def test_what_is_to_be_begun_once_at_most_is_not_begun_again(world: World, store: Store) -> None:
    job = await ask(world.database, PLAY)
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set max_attempts = 1"))
    await held(store, 1)
    await dies(store, world.database)
    assert await states_of(world.database, [job]) == [(JobState.DEAD, 1, 1)]


async def test_whoever_fails_by_itself_kills_nobody(world: World, store: Store) -> None:
    job = await ask(world.database, PLAY)
    for _ in range(2):
        await held(store, 1)
        await dies(store, world.database)
    [claim] = await held(store, 1)
    assert claim.is_suspect
    async with world.database.transaction() as session:
        fence = Fence(job, claim.attempt, store.worker_id)
        await fail(session, fence, Failure("no answer"), Backoff(first=timedelta(milliseconds=1)))
    await asyncio.sleep(0.01)
    await store.promote()
    [claim] = await held(store, 1)
    assert not claim.is_suspect


async def test_the_dead_of_one_kind_are_one_group_of_errors_and_of_another_another(
    world: World, store: Store
) -> None:
    jobs = [await ask(world.database, PLAY) for _ in range(3)]
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set max_attempts = 1"))
        await session.execute(text("update jobs set kind = 'test.mourn' where id = :id"), {"id": jobs[0]})
    await held(store, 3)
    await dies(store, world.database)
    one, other, another = [(await row_of(world.database, job)).fingerprint for job in jobs]
    assert other == another
    assert None not in {one, other}
    assert one != other


async def test_suspects_run_one_at_a_time_beside_others_and_keep_their_place(world: World) -> None:
    database = world.database
    suspects = [await ask(database, Play(act="tidy", seconds=0.2)) for _ in range(3)]
    other = await ask(database, Play(act="tidy", seconds=0.2))
    async with database.transaction() as session:
        told = {"ids": suspects, "error": DIED}
        await session.execute(
            text("update jobs set attempt = 2, max_attempts = 4, error = :error where id = any(:ids)"), told
        )
        await session.execute(
            text(
                "insert into job_attempts (job_id, attempt, outcome, error, started_at, finished_at)"
                " select id, attempt, 'worker died', :error, now(), now()"
                "   from unnest(cast(:ids as uuid[])) id, unnest(array[1, 2]) attempt"
            ),
            told,
        )
    ranks = [(await row_of(database, one)).rank_at for one in suspects]
    most: dict[bool, int] = {True: 0, False: 0}
    async with working(world, {"test": 8}) as receiver, asyncio.timeout(20):
        while {row.state for row in [await row_of(database, one) for one in (*suspects, other)]} != {
            JobState.COMPLETED
        }:
            for is_suspect in (True, False):
                running = [one for one in receiver.running.values() if one.claim.is_suspect is is_suspect]
                most[is_suspect] = max(most[is_suspect], len(running))
            await asyncio.sleep(0.02)
    assert most == {True: 1, False: 1}
    rows = [await row_of(database, one) for one in suspects]
    assert [row.rank_at for row in rows] == ranks
    assert [row.attempt for row in rows] == [3] * 3
    async with database.transaction() as session:
        [put_off] = await snoozes_of(session, suspects[1])
    assert "one of them at a time" in put_off.why
    assert put_off.until - now() < timedelta(seconds=30)
