"""Asking for work: a row in the caller's transaction, and a bell after it."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Backoff, Job, Wish, enqueue, enqueue_all
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
