"""So many of a queue, or of a key, at once over all workers, and so many in a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select, text

from models.base.db import Database, new_id
from models.base.errors import Conflict, Invalid
from models.jobs import Wish, enqueue_all, gates
from models.jobs.held import LimitView, limits
from models.jobs.limits import DEFAULTS, Limit, Rate, set_defaults, set_limit, slow_down
from models.jobs.queues import limit_queue, pause, resume, run_anyway
from models.jobs.states import JobState
from models.jobs.store import Claim, Store
from models.jobs.tables import JobRow, LimitRow
from tasks.testing import working
from tasks.world import World
from tests.jobs.messages import Play

MakeStore = Callable[[], Store]


@pytest.fixture
async def store(world: World) -> AsyncIterator[MakeStore]:
    """Makes workers' ways to the rows."""
    made: list[Store] = []

    def make() -> Store:
        made.append(Store(world.settings.database.url, new_id(), "test"))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def ask(database: Database, count: int, limit: str | None = None) -> list[UUID]:
    async with database.transaction() as session:
        return await enqueue_all(session, [Wish(Play(act="return"), limit=limit) for _ in range(count)])


async def take(store: Store, slots: int) -> list[Claim]:
    """What a worker with so many free slots begins."""
    if await gates.gated(store, ["test"]):
        assert await store.claim({"test": slots}) == []  # also by a worker that has not heard of the limit
        claims = (await gates.claim(store, {"test": slots})).claims
    else:
        claims = await store.claim({"test": slots})
    keyed = [one for one in claims if one.limit_key]
    return (await gates.admit(store, keyed)).claims if keyed else claims


async def finish(store: Store, claims: list[Claim]) -> None:
    await store.complete([(one.id, one.attempt, None) for one in claims])


async def hold(database: Database, key: str, limit: Limit | None) -> None:
    async with database.transaction() as session:
        await set_limit(session, key, limit)


async def hold_queue(database: Database, limit: Limit | None) -> None:
    async with database.transaction() as session:
        await limit_queue(session, "test", limit)


async def numbers_of(database: Database, key: str) -> LimitView:
    async with database.transaction() as session:
        return next(one for one in (await limits(session)).items if one.key == key)


async def running(database: Database) -> int:
    query = "select count(*) from jobs where state = 'active' and blocked_by is null"
    async with database.transaction() as session:
        return int((await session.execute(text(query))).scalar_one())


@pytest.mark.parametrize("key", [None, "host/example.com"])
async def test_many_claimers_at_once_never_exceed_a_limit(
    database: Database, store: MakeStore, key: str | None
) -> None:
    """Six workers claim and end as fast as they can; every one of them looks how many run."""
    jobs = await ask(database, 40, key)
    await (hold(database, key, Limit(3)) if key else hold_queue(database, Limit(3)))
    most, done = 0, 0

    async def work(one: Store) -> None:
        nonlocal most, done
        while done < len(jobs):
            claims = await take(one, 4)
            most = max(most, await running(database))
            await asyncio.sleep(0.001)
            if claims:
                await finish(one, claims)
            done += len(claims)
            await gates.wake(one)

    async with asyncio.timeout(20):
        await asyncio.gather(*(work(store()) for _ in range(6)))
    assert most == 3
    if key:
        numbers = await numbers_of(database, key)
        assert numbers.began == 40
        assert 0 < numbers.waited <= 37


async def test_a_limit_that_is_changed_holds_from_the_next_claim_on(
    database: Database, store: MakeStore
) -> None:
    await ask(database, 10)
    one = store()
    await hold_queue(database, Limit(2))
    assert len(await take(one, 5)) == 2
    await hold_queue(database, Limit(3))
    assert len(await take(one, 5)) == 1
    await hold_queue(database, None)
    assert len(await take(one, 5)) == 5


async def test_a_full_key_is_not_walked_over(database: Database, store: MakeStore) -> None:
    """What waits behind a full key leaves the index that is claimed from, and comes back as places come free."""
    await hold(database, "host/*", Limit(1))
    await ask(database, 50, "host/example.com")
    [other] = await ask(database, 1, "host/example.org")
    one = store()
    [first] = await take(one, 4)
    # In front of the other host's job stood fifty; one round has parked all of them.
    assert [claim.id for claim in await take(one, 4)] == [other]
    assert await one.claim({"test": 4}) == []
    assert await gates.wake(one) == set()
    await finish(one, [first])
    assert await gates.wake(one, ["host/example.com"]) == {"test"}
    [second] = await one.claim({"test": 4})
    assert (second.limit_key, second.attempt) == ("host/example.com", 1)


async def test_a_key_that_nothing_is_set_for_waits_for_nobody(database: Database, store: MakeStore) -> None:
    await ask(database, 3, "model/writer")
    async with database.transaction() as session, asyncio.timeout(5):
        await session.execute(text("select pg_advisory_xact_lock(hashtextextended('limit/model/writer', 0))"))
        assert len(await take(store(), 3)) == 3
    assert await running(database) == 3


async def test_a_rate_lets_its_burst_through_and_then_one_at_a_time(
    database: Database, store: MakeStore
) -> None:
    for key in (None, "host/example.com"):
        jobs = await ask(database, 5, key)
        limit = Limit(rate=Rate(10, seconds=100, burst=2))
        await (hold(database, key, limit) if key else hold_queue(database, limit))
        one = store()
        assert len(await take(one, 5)) == 2
        assert await take(one, 5) == []
        async with database.transaction() as session:  # as if nine seconds had gone by, and then two more
            await session.execute(text("update job_gates set full_at = full_at - interval '9 seconds'"))
        await gates.wake(one)
        assert await take(one, 5) == []
        async with database.transaction() as session:
            await session.execute(text("update job_gates set full_at = full_at - interval '2 seconds'"))
        await gates.wake(one)
        assert len(await take(one, 5)) == 1
        await hold_queue(database, None)
        async with database.transaction() as session:
            await session.execute(text("delete from jobs where id = any(:ids)"), {"ids": jobs})


@pytest.mark.parametrize("held", ["test", "host/example.com", "host/*"])
async def test_a_rate_that_is_changed_begins_with_what_was_let_through(
    database: Database, store: MakeStore, held: str
) -> None:
    key = None if held == "test" else "host/example.com"

    async def allow(rate: Rate | None) -> int:
        """How many begin at once under this rate."""
        limit = Limit(rate=rate) if rate else None
        await (hold(database, held, limit) if key else hold_queue(database, limit))
        await gates.wake(one)
        return len(await take(one, 60))

    one = store()
    await ask(database, 100, key)
    day = 86_400
    assert await allow(Rate(20, day, burst=20)) == 20
    assert await allow(Rate(40, day, burst=40)) == 20  # of the new quota half was used up
    assert await allow(Rate(1, day, burst=1)) == 0
    assert await allow(Rate(10, 1, burst=10)) == 9  # of what was used up a whole burst counts, and that was 1
    await allow(None)
    await ask(database, 50, key)
    assert await allow(Rate(5, day, burst=5)) == 5  # what no limit counted is not held against it


async def test_who_answers_429_is_left_alone_for_as_long_as_it_said(world: World, store: MakeStore) -> None:
    database = world.database
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Play(act="too many"), limit="host/example.com")])
    async with working(world):
        async with asyncio.timeout(5):
            while not await _closed(database):
                await asyncio.sleep(0.01)
    async with database.transaction() as session:
        job = (await session.scalars(select(JobRow))).one()
    assert (job.state, job.attempt, job.snoozes) == (JobState.SCHEDULED, 0, 1)
    await ask(database, 2, "host/example.com")
    one = store()
    assert await take(one, 5) == []
    async with database.transaction() as session:
        await session.execute(text("update job_gates set closed_until = now() - interval '2 minutes'"))
    await gates.wake(one)
    assert len(await take(one, 5)) == 2
    async with database.transaction() as session:
        await session.execute(text("update job_gates set closed_until = now() - interval '12 minutes'"))
    await gates.forget(one)
    assert not await one.fetch("select from job_gates")


async def _closed(database: Database) -> bool:
    async with database.transaction() as session:
        rows = await session.execute(
            text("select closed_until - now() from job_gates where name = 'limit/host/example.com'")
        )
        wait = rows.scalar_one_or_none()
    return wait is not None and timedelta(seconds=50) < wait <= timedelta(seconds=60)


async def later(database: Database, minutes: int) -> None:
    """As if so much of the time after a silence had gone by."""
    async with database.transaction() as session:
        past = timedelta(minutes=minutes, seconds=1)
        await session.execute(
            text("update job_gates set closed_until = now() - cast(:past as interval)"), {"past": past}
        )


@pytest.mark.parametrize("limit", [None, Limit(12)])
async def test_after_a_429_half_as_many_run_at_once_and_then_more_again(
    database: Database, store: MakeStore, limit: Limit | None
) -> None:
    """For as long as the provider goes on answering it, they become fewer; a key without a limit learns one."""
    key, one = "model/writer", store()
    await hold(database, key, limit)
    await ask(database, 40, key)
    claims = await take(one, 8)
    assert len(claims) == 8

    async def crowded() -> None:
        """Everybody who runs is told so."""
        async with database.transaction() as session:
            for _ in claims:
                await slow_down(session, key, timedelta(seconds=10))

    async def room(minutes: int) -> int:
        await later(database, minutes)
        await gates.wake(one)
        claims.extend(await take(one, 30))
        return len(claims)

    await crowded()
    assert await take(one, 20) == []
    await finish(one, claims)
    claims.clear()
    assert [await room(minutes) for minutes in (0, 1)] == [4, 8]
    await finish(one, claims[6:])
    del claims[6:]
    await crowded()
    await finish(one, claims)
    claims.clear()
    assert [await room(minutes) for minutes in (0, 1, 2, 3)] == [3, 6, 12, 12 if limit else 24]
    if limit:
        assert (await numbers_of(database, key)).silences == 2


async def test_gates_are_forgotten_while_somebody_goes_through_one(
    database: Database, store: MakeStore
) -> None:
    """Each worker forgets every few seconds, and would wait for the others, or be waited for in a circle."""
    old = "insert into job_gates (name, full_at) select 'limit/' || n, now() - interval '1 hour' from generate_series(1, 3) n"
    async with database.transaction() as session:
        await session.execute(text(old))
    async with database.transaction() as session, asyncio.timeout(4):
        await session.execute(text("update job_gates set full_at = now() where name = 'limit/2'"))
        await gates.forget(store())
    async with database.transaction() as session:
        assert (await session.scalars(text("select name from job_gates"))).all() == ["limit/2"]


async def test_the_longer_silence_wins(database: Database) -> None:
    async with database.transaction() as session:
        for seconds in (60, 5):
            await slow_down(session, "api/one", timedelta(seconds=seconds))
        left = (await session.execute(text("select closed_until - now() from job_gates"))).scalar_one()
    assert left > timedelta(seconds=50)


async def test_a_key_of_its_own_limit_has_that_and_not_its_kind_s(
    database: Database, store: MakeStore
) -> None:
    await hold(database, "host/*", Limit(1))
    await hold(database, "host/example.com", Limit(4))
    for key in ("host/example.com", "host/example.org", "person/ada"):
        await ask(database, 5, key)
    begun = Counter(one.limit_key for one in await take(store(), 20))
    assert begun == {"host/example.com": 4, "host/example.org": 1, "person/ada": 5}
    with pytest.raises(Invalid, match="problem"):
        await hold(database, "host/*", Limit(0))


async def test_an_installation_begins_with_limits_and_keeps_what_its_operators_say(
    database: Database,
) -> None:
    async with database.transaction() as session:
        await set_defaults(session)
        assert set(await session.scalars(select(LimitRow.key))) == set(DEFAULTS)
    for limit in (Limit(7), None):
        await hold(database, "host/*", limit)
        async with database.transaction() as session:
            await set_defaults(session)
            row = await session.get_one(LimitRow, "host/*")
        assert row.max_running == (limit and limit.max_running)


async def test_a_worker_keeps_to_limits_and_gets_everything_done(world: World) -> None:
    """Limited by its queue, by its key and by a rate, while it runs: all of it is done, and no bell is missed."""
    database = world.database
    await hold_queue(database, Limit(5))
    await hold(database, "host/*", Limit(2))
    await hold(database, "api/*", Limit(rate=Rate(40, 1, 1)))
    most = 0
    async with working(world, {"test": 8}) as receiver, asyncio.timeout(15):
        for key in ("host/a", "host/b", "api/c", None):
            await ask(database, 10, key)
        while receiver.counts["completed"] < 40:
            most = max(most, await running(database))
            await asyncio.sleep(0.002)
    assert most <= 5


async def test_a_job_can_be_run_although_its_queue_is_paused(database: Database, store: MakeStore) -> None:
    jobs = await ask(database, 3)
    one = store()
    async with database.transaction() as session:
        await pause(session, "test")
    assert await gates.gated(one, ["test", "mail"]) == {"test"}
    assert await take(one, 5) == []
    async with database.transaction() as session:
        await run_anyway(session, jobs[1])
    assert [claim.id for claim in await take(one, 5)] == [jobs[1]]
    with pytest.raises(Conflict):
        async with database.transaction() as session:
            await run_anyway(session, jobs[1])
    async with database.transaction() as session:
        await resume(session, "test")
    assert {claim.id for claim in await take(one, 5)} == {jobs[0], jobs[2]}


async def test_who_is_frozen_on_its_way_through_a_gate_does_not_hold_it_for_ever(store: MakeStore) -> None:
    [(seconds,)] = await store().fetch(
        "select extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval)::int"
    )
    assert seconds == 10


async def test_a_connection_that_could_not_listen_is_not_used(store: MakeStore) -> None:
    """It would live on, and its worker would hear neither of bells nor of what is to be stopped."""
    one, heard = store(), []

    async def listen(connection: asyncpg.Connection) -> None:
        heard.append(connection)
        if len(heard) == 1:
            raise TimeoutError
        await connection.add_listener("jobs", lambda *_: None)

    one.on_connect = listen
    with pytest.raises(TimeoutError):
        await one.fetch("select 1")
    assert [tuple(row) for row in await one.fetch("select pg_listening_channels()")] == [("jobs",)]
