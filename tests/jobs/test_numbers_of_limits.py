"""What a limit has held back: how many jobs, and for how long."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text

from models.base.clock import now
from models.base.db import Database
from models.jobs import gates
from models.jobs.cancelling import cancel
from models.jobs.dead import retry
from models.jobs.limits import Limit
from models.jobs.retention import forget_what_is_left
from models.jobs.tables import LimitHourRow
from tests.jobs.test_limits import MakeStore, ask, finish, hold, numbers_of, store, take

__all__ = ["store"]


async def change(database: Database, statement: str, ids: list[UUID]) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"update jobs set {statement} where id = any(:ids)"), {"ids": ids})


async def test_what_begins_under_a_limit_is_counted_and_for_how_long_it_held_that_back(
    database: Database, store: MakeStore
) -> None:
    await hold(database, "api/*", Limit(1))
    jobs = await ask(database, 3, "api/one")
    await ask(database, 1, "api/two")
    one = store()
    begun = await take(one, 4)
    assert len(begun) == 2
    await change(
        database, "run_at = now() - interval '1 hour', held_at = now() - interval '3 minutes'", jobs[1:]
    )
    await finish(one, begun)
    await gates.wake(one)
    [second] = await take(one, 1)
    first = await numbers_of(database, "api/*")
    assert (first.began, first.waited, first.mean_wait) == (3, 1, first.longest_wait)
    assert first.mean_wait is not None
    assert timedelta(minutes=3) <= first.mean_wait < timedelta(minutes=3.5)
    # As if it had been woken after four minutes, had waited for its paused queue since, and found no place then.
    woken = (
        "blocked_by = null, held_at = now() - interval '54 minutes', woken_at = now() - interval '50 minutes'"
    )
    await change(database, woken, jobs[2:])
    assert await take(one, 1) == []
    await finish(one, [second])
    await gates.wake(one)
    assert len(await take(one, 1)) == 1
    last = await numbers_of(database, "api/*")
    assert (last.began, last.waited) == (4, 2)
    assert last.longest_wait is not None
    assert timedelta(minutes=4) <= last.longest_wait < timedelta(minutes=4.5)
    assert last.mean_wait == pytest.approx(
        (first.mean_wait + last.longest_wait) / 2, abs=timedelta(milliseconds=1)
    )


async def test_a_wait_that_ended_otherwise_is_not_the_beginning_of_the_next_one(
    database: Database, store: MakeStore
) -> None:
    await hold(database, "api/*", Limit(1))
    jobs = await ask(database, 3, "api/one")
    one = store()
    begun = await take(one, 3)
    held = "run_at = now() - interval '1 hour', held_at = now() - interval '30 minutes'"
    await change(database, held, jobs[1:])
    # It was woken, and cancelled then.
    await change(database, "woken_at = now() - interval '1 minute'", [jobs[1]])
    async with database.transaction() as session:
        await cancel(session, jobs[1])
        await retry(session, jobs[1])
    await change(database, "run_at = now() - interval '20 minutes'", [jobs[1]])
    # Its flow was paused, and goes on; or a worker of the release before this one woke it.
    await change(database, "blocked_by = null", [jobs[2]])
    assert await take(one, 3) == []
    await finish(one, begun)
    await change(database, "blocked_by = null", [jobs[2]])
    begun = await take(one, 1)
    assert [claim.id for claim in begun] == [jobs[2]]
    await finish(one, begun)
    await gates.wake(one)
    [last] = await take(one, 1)
    # It is given back, and has not waited twice.
    await one.release(last.id, last.attempt)
    begun = await take(one, 1)
    await finish(one, begun)
    # A worker of the release before let it begin, and it was put off since.
    [late] = await ask(database, 1, "api/one")
    await change(
        database, "held_at = run_at - interval '2 hours', woken_at = run_at - interval '1 hour'", [late]
    )
    assert len(await take(one, 1)) == 1
    numbers = await numbers_of(database, "api/*")
    assert (numbers.began, numbers.waited) == (5, 1)
    assert numbers.longest_wait is not None
    assert numbers.longest_wait < timedelta(minutes=1)


async def test_the_numbers_of_a_limit_are_kept_for_a_week_unless_it_is_removed(database: Database) -> None:
    await hold(database, "api/*", Limit(1))
    hours = [("api/*", timedelta(days=6)), ("api/*", timedelta(days=8)), ("gone/*", timedelta())]
    async with database.transaction() as session:
        rows = [{"key": key, "at": now() - age, "began": 1} for key, age in hours]
        await session.execute(insert(LimitHourRow), rows)
        await forget_what_is_left(session)
        assert [tuple(row) for row in await session.execute(select(LimitHourRow.key))] == [("api/*",)]
    assert (await numbers_of(database, "api/*")).began == 0
