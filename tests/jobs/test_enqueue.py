"""Asking for work: a row in the caller's transaction, and a bell after it."""

import asyncio
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Backoff, Job, Wish, enqueue, enqueue_all
from models.jobs.enqueue import NewRow
from models.jobs.message import kinds, unpack
from models.jobs.states import JobState
from models.jobs.tables import JobRow


class Knit(Job, frozen=True):
    kind: ClassVar[str] = "test.knit"
    queue: ClassVar[str] = "wool"
    order_id: UUID


async def count(database: Database) -> int:
    async with database.transaction() as session:
        return (await session.execute(select(func.count()).select_from(JobRow))).scalar_one()


async def test_a_commit_makes_the_job_exist_and_rings_once(database: Database, redis: Redis) -> None:
    order = new_id()
    async with database.transaction() as session:
        first = await enqueue(session, Knit(order_id=order), subject=f"order/{order}")
        await enqueue(session, Knit(order_id=order))
        assert await redis.exists("bells:wool") == 0
    await database.told()
    assert await redis.xlen("bells:wool") == 1
    async with database.transaction() as session:
        row = await session.get_one(JobRow, first)
    assert (row.kind, row.queue, row.state, row.attempt) == ("test.knit", "wool", JobState.WAITING, 0)
    assert Knit.read(row.args) == Knit(order_id=order)


async def test_a_rollback_leaves_neither_row_nor_bell(database: Database, redis: Redis) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await enqueue(session, Knit(order_id=new_id()))
            raise ZeroDivisionError
    assert await count(database) == 0
    assert await redis.exists("bells:wool") == 0


async def test_one_statement_commits_by_itself_and_rings(database: Database, redis: Redis) -> None:
    async with database.statement() as session:
        await enqueue(session, Knit(order_id=new_id()))
        assert await count(database) == 1
    await database.told()
    assert await redis.xlen("bells:wool") == 1


async def test_what_several_commits_have_to_tell_at_once_is_told_together(
    database: Database, redis: Redis
) -> None:
    async def ask() -> None:
        async with database.transaction() as session:
            await enqueue(session, Knit(order_id=new_id()))

    await asyncio.gather(*(ask() for _ in range(20)))
    await database.told()
    assert await count(database) == 20
    assert 1 <= await redis.xlen("bells:wool") < 20


async def test_jobs_that_belong_to_a_new_row_are_asked_for_with_it_and_once(database: Database) -> None:
    insert = "insert into job_queues (name) values ($1) on conflict do nothing returning name"
    once = NewRow(insert, ("wool",))
    wishes = [Wish(Knit(order_id=new_id())) for _ in range(2)]
    async with database.statement() as session:
        assert await enqueue_all(session, wishes, if_new=once) == [wish.id for wish in wishes]
    async with database.statement() as session:
        assert await enqueue_all(session, [Wish(Knit(order_id=new_id()))], if_new=once) == []
    assert await count(database) == 2


async def test_asking_twice_with_one_key_asks_once(database: Database) -> None:
    async with database.transaction() as session:
        assert await enqueue(session, Knit(order_id=new_id()), unique="scarf") is not None
        assert await enqueue(session, Knit(order_id=new_id()), unique="scarf") is None
        assert (
            len(await enqueue_all(session, [Wish(Knit(order_id=new_id()), unique="hat") for _ in range(5)]))
            == 1
        )
    assert await count(database) == 2


async def test_a_job_for_later_is_scheduled_and_rings_nobody(database: Database, redis: Redis) -> None:
    async with database.transaction() as session:
        later = await enqueue(session, Knit(order_id=new_id()), run_at=now() + timedelta(hours=1))
    async with database.transaction() as session:
        assert (await session.get_one(JobRow, later)).state is JobState.SCHEDULED
    assert await redis.exists("bells:wool") == 0


def test_a_packed_message_unpacks_to_itself() -> None:
    message = Knit(order_id=new_id())
    assert unpack(message.packed()) == message
    assert kinds()["test.knit"] is Knit


def test_pauses_grow_up_to_their_limit_however_late_the_attempt():
    backoff = Backoff(first=timedelta(seconds=2), factor=3, limit=timedelta(minutes=15))
    assert [backoff.wait(attempt, 1).total_seconds() for attempt in (1, 2, 3, 7, 500)] == [2, 6, 18, 900, 900]
    assert backoff.wait(2, 0) == timedelta(seconds=3)
