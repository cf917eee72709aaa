"""Keys: once in a period, only while it waits, the latest of many askings, and answers that are still good."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import select, text

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Job, enqueue
from models.jobs.actions import complete
from models.jobs.keys import ask, debounce, enqueue_once, forget_keys
from models.jobs.states import JobState
from models.jobs.store import Fence, Store
from models.jobs.tables import JobRow
from tasks.testing import enqueued
from tasks.world import World

HOUR = timedelta(hours=1)


class Count(Job, frozen=True):
    kind: ClassVar[str] = "test.count"
    queue: ClassVar[str] = "wool"
    what: str


@pytest.fixture
async def store(world: World) -> Any:
    one = Store(world.settings.database.url, new_id(), "a worker of the tests")
    yield one
    await one.close()


async def test_a_key_for_a_period_outlives_its_job(database: Database) -> None:
    async with database.transaction() as session:
        assert await enqueue_once(session, Count(what="sheep"), "sheep", HOUR) is not None
        await session.execute(text("delete from jobs"))
    async with database.transaction() as session:
        assert await enqueue_once(session, Count(what="sheep"), "sheep", HOUR) is None
        await session.execute(text("update job_keys set until = now() - interval '1 second'"))
    async with database.transaction() as session:
        assert await enqueue_once(session, Count(what="sheep"), "sheep", HOUR) is not None
        await session.execute(text("update job_keys set until = now() - interval '1 second'"))
        await forget_keys(session)
        assert (await session.execute(text("select count(*) from job_keys"))).scalar_one() == 0


async def test_many_who_ask_once_at_once_ask_for_one(database: Database) -> None:
    async def one() -> bool:
        async with database.transaction() as session:
            return await enqueue_once(session, Count(what="sheep"), "sheep", HOUR) is not None

    assert sum(await asyncio.gather(*(one() for _ in range(5)))) == 1


async def test_a_key_that_is_freed_holds_only_while_its_job_waits(world: World, store: Store) -> None:
    async with world.database.transaction() as session:
        assert await enqueue(session, Count(what="a"), unique="count", frees_key=True) is not None
        assert await enqueue(session, Count(what="b"), unique="count", frees_key=True) is None
    assert len(await store.claim({"wool": 5})) == 1
    async with world.database.transaction() as session:
        assert await enqueue(session, Count(what="c"), unique="count", frees_key=True) is not None


async def test_a_later_asking_replaces_what_waits_and_puts_it_off_but_not_for_ever(
    world: World, store: Store
) -> None:
    wait, at_most = timedelta(minutes=2), timedelta(minutes=5)

    async def call(what: str) -> JobRow:
        async with world.database.transaction() as session:
            job_id = await debounce(session, Count(what=what), "count", wait, at_most)
        async with world.database.transaction() as session:
            return await session.get_one(JobRow, job_id)

    first = await call("one")
    assert first.state is JobState.SCHEDULED
    second = await call("two")
    assert (second.id, second.args) == (first.id, {"what": "two"})
    assert second.run_at > first.run_at
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set created_at = created_at - interval '4 minutes'"))
    late = await call("three")
    assert now() + timedelta(seconds=50) < late.run_at < now() + timedelta(seconds=70)
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set state = 'waiting', run_at = now() - interval '1 minute'"))
    assert (await call("four")).id == first.id
    (claim,) = await store.claim({"wool": 5})
    assert claim.args == '{"what": "four"}'
    assert (await call("five")).id != first.id


class Tally(Job, frozen=True):
    """What once was a Count."""

    kind: ClassVar[str] = "test.tally"
    aliases: ClassVar[tuple[str, ...]] = ("test.old_tally",)
    queue: ClassVar[str] = "wool"
    secrets: ClassVar[tuple[str, ...]] = ("pin",)
    what: str
    pin: str


async def test_a_debounced_key_is_for_one_kind_of_job_whatever_that_was_called(world: World) -> None:
    wait, keys = timedelta(minutes=2), world.keys
    async with world.database.transaction() as session, asyncio.timeout(5):
        await debounce(session, Count(what="one"), "tally", wait, HOUR)
        with pytest.raises(ValueError, match=r"'tally' is debounced for test\.count"):
            await debounce(session, Tally(what="two", pin="1234"), "tally", wait, HOUR, keys=keys)
        first = await debounce(session, Tally(what="a", pin="1"), "other", wait, HOUR, keys=keys)
        await session.execute(text("update jobs set kind = 'test.old_tally' where kind = 'test.tally'"))
        assert await debounce(session, Tally(what="b", pin="2"), "other", wait, HOUR, keys=keys) == first
        assert await enqueued(session, Tally, keys) == [Tally(what="b", pin="2")]
        with pytest.raises(TypeError, match="which keys"):
            await enqueued(session, Tally)


async def test_what_is_debounced_keeps_its_turn_while_it_is_put_off(database: Database) -> None:
    wait = timedelta(minutes=2)
    async with database.transaction() as session:
        for number in range(3):
            await enqueue(session, Count(what=str(number)), share="person/ada")
        for _ in range(2):
            job_id = await debounce(session, Count(what="last"), "count", wait, HOUR, share="person/ada")
        row = await session.get_one(JobRow, job_id)
        # The middle priority is worth 25 minutes, and each of the three before it five.
        assert row.rank_at - row.run_at == timedelta(minutes=40)


async def test_questions_that_differ_in_their_secrets_are_two(world: World) -> None:
    async def job(pin: str, **wishes: Any) -> Any:
        async with world.database.transaction() as session:
            return (await ask(session, Tally(what="sheep", pin=pin), HOUR, **wishes)).job_id

    mine = await job("1", keys=world.keys)
    assert (await job("1", keys=world.keys), await job("2", keys=world.keys) == mine) == (mine, False)
    with pytest.raises(TypeError, match="has secrets"):
        await job("1")


async def test_the_same_question_is_answered_by_an_earlier_job(world: World, store: Store) -> None:
    async def question(what: str, cached_for: timedelta = HOUR) -> Any:
        async with world.database.transaction() as session:
            return await ask(session, Count(what=what), cached_for)

    first = await question("sheep")
    assert first.is_new
    assert (await question("goats")).job_id != first.job_id
    again = await question("sheep")
    assert (again.job_id, again.is_new, again.result) == (first.job_id, False, None)
    for claim in await store.claim({"wool": 5}):
        async with world.database.transaction() as session:
            await complete(session, Fence(claim.id, claim.attempt, store.worker_id), {"count": 7})
    answered = await question("sheep")
    assert (answered.job_id, answered.state, answered.result) == (
        first.job_id,
        JobState.COMPLETED,
        {"count": 7},
    )
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set finished_at = finished_at - interval '2 hours'"))
    assert (await question("sheep")).is_new


async def test_a_question_asked_by_many_at_once_makes_one_job(database: Database) -> None:
    async def one() -> Any:
        async with database.transaction() as session:
            return (await ask(session, Count(what="sheep"), HOUR)).job_id

    assert len(set(await asyncio.gather(*(one() for _ in range(5))))) == 1
    async with database.transaction() as session:
        assert len((await session.scalars(select(JobRow.id))).all()) == 1


async def test_a_question_is_not_forgotten_while_its_answer_is_on_its_way_or_still_good(
    world: World, store: Store
) -> None:
    async def question() -> Any:
        async with world.database.transaction() as session:
            await forget_keys(session)
            return await ask(session, Count(what="sheep"), HOUR)

    first = await question()
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set created_at = created_at - interval '2 hours'"))
        await session.execute(text("update job_keys set until = until - interval '2 hours'"))
    assert (await question()).job_id == first.job_id
    [claim] = await store.claim({"wool": 1})
    async with world.database.transaction() as session:
        await complete(session, Fence(claim.id, claim.attempt, store.worker_id), {"count": 7})
        await session.execute(text("update job_keys set until = now() - interval '1 hour'"))
    assert (await question()).result == {"count": 7}
    async with world.database.transaction() as session:
        await session.execute(text("update job_keys set until = now() - interval '1 hour'"))
        await session.execute(text("update jobs set finished_at = finished_at - interval '2 hours'"))
    assert (await question()).is_new
