"""What a person may do about one job, and what nobody may do to one that works for a paid order."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict, Invalid, NotFound
from models.jobs import Job, enqueue
from models.jobs.cancelling import cancel
from models.jobs.dead import delete, duplicate, prioritize, promote, retry, retry_edited
from models.jobs.retention import forget_finished
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.orders.jobs import IntegrateBacklink
from models.payments.jobs import GiveRefund
from tests.jobs.asking import row_of


class Bake(Job, frozen=True):
    kind: ClassVar[str] = "test.bake"
    queue: ClassVar[str] = "wool"
    secrets: ClassVar[tuple[str, ...]] = ("recipe",)
    loaves: int
    flour: str
    recipe: str = ""


class Plain(Job, frozen=True):
    kind: ClassVar[str] = "test.plain"
    queue: ClassVar[str] = "wool"
    loaves: int
    flour: str = "rye"


async def ask(database: Database, job: Job, state: str = "waiting", **wishes: Any) -> UUID:
    async with database.transaction() as session:
        job_id = await enqueue(session, job, **wishes)
        assert job_id is not None
        ended = ", finished_at = now(), attempt = 3" if state in {"dead", "cancelled", "completed"} else ""
        await session.execute(
            text(f"update jobs set state = :state{ended} where id = :id"), {"state": state, "id": job_id}
        )
    return job_id


@pytest.mark.parametrize("state", ["dead", "cancelled"])
async def test_what_ended_badly_is_tried_again_with_fresh_attempts(database: Database, state: str) -> None:
    job_id = await ask(database, Plain(loaves=2), state)
    async with database.transaction() as session:
        await retry(session, job_id)
    row = await row_of(database, job_id)
    assert (row.state, row.attempt, row.max_attempts, row.finished_at) == (JobState.WAITING, 3, 6, None)
    async with database.transaction() as session:
        with pytest.raises(Conflict, match="this one is waiting"):
            await retry(session, job_id)


async def test_what_was_cancelled_before_its_time_waits_for_that_again(database: Database) -> None:
    at = now() + timedelta(days=3)
    async with database.transaction() as session:
        job_id = await enqueue(session, Plain(loaves=1), run_at=at)
        assert job_id is not None
        await cancel(session, job_id)
        await retry(session, job_id)
    row = await row_of(database, job_id)
    assert (row.state, row.run_at) == (JobState.SCHEDULED, at)


async def test_a_retry_does_not_take_the_work_of_another_job(database: Database) -> None:
    job_id = await ask(database, Plain(loaves=2), "dead", unique="bread")
    await ask(database, Plain(loaves=3), unique="bread")
    async with database.transaction() as session:
        with pytest.raises(Conflict, match="another one does its work"):
            await retry(session, job_id)


async def test_arguments_are_mended_before_a_retry(database: Database) -> None:
    job_id = await ask(database, Plain(loaves=2), "dead")
    async with database.transaction() as session:
        with pytest.raises(Invalid) as refused:
            await retry_edited(session, job_id, {"flour": 7, "colour": "red"})
    assert refused.value.fields.keys() == {"args.flour", "args.colour", "args.loaves"}
    async with database.transaction() as session:
        await retry_edited(session, job_id, {"loaves": 5, "flour": "spelt"})
    row = await row_of(database, job_id)
    assert (row.state, row.args) == (JobState.WAITING, {"loaves": 5, "flour": "spelt"})


async def test_a_secret_argument_is_neither_asked_for_nor_taken(database: Database) -> None:
    job_id = await ask(database, Plain(loaves=2), "dead")
    async with database.transaction() as session:
        await session.execute(text("update jobs set kind = 'test.bake', secret = 'sealed'::bytea"))
    async with database.transaction() as session:
        with pytest.raises(Invalid) as refused:
            await retry_edited(session, job_id, {"loaves": 1, "flour": "rye", "recipe": "mine"})
        assert refused.value.fields.keys() == {"args.recipe"}
        await retry_edited(session, job_id, {"loaves": 1, "flour": "wheat"})
        copy_id = await duplicate(session, job_id, new_id())
    copy = await row_of(database, copy_id)
    assert (copy.args, copy.secret) == ({"loaves": 1, "flour": "wheat"}, b"sealed")


async def test_a_duplicate_is_a_job_of_its_own(database: Database) -> None:
    me = new_id()
    job_id = await ask(database, Plain(loaves=2), "completed", unique="bread", subject="order/1")
    async with database.transaction() as session:
        copy_id = await duplicate(session, job_id, me)
    copy = await row_of(database, copy_id)
    assert (copy.state, copy.attempt, copy.unique_key, copy.asked_by, copy.subject, copy.args["loaves"]) == (
        JobState.WAITING,
        0,
        None,
        me,
        "order/1",
        2,
    )


async def test_a_scheduled_job_runs_now_and_a_waiting_one_goes_before_others(database: Database) -> None:
    later = await ask(database, Plain(loaves=2), "scheduled", run_at=now() + timedelta(days=1))
    async with database.transaction() as session:
        await promote(session, later)
        with pytest.raises(Conflict, match="this one is waiting"):
            await promote(session, later)
        before = (await session.get_one(JobRow, later, populate_existing=True)).rank_at
        await prioritize(session, later, 0)
    row = await row_of(database, later)
    assert (row.state, row.priority, before - row.rank_at) == (JobState.WAITING, 0, timedelta(minutes=25))


async def test_what_has_ended_can_be_deleted_and_nothing_else(database: Database) -> None:
    for state in ("dead", "cancelled", "completed"):
        job_id = await ask(database, Plain(loaves=2), state)
        async with database.transaction() as session:
            await delete(session, job_id)
        async with database.transaction() as session:
            with pytest.raises(NotFound):
                await delete(session, job_id)
    waiting = await ask(database, Plain(loaves=2))
    async with database.transaction() as session:
        with pytest.raises(Conflict, match="Cancel it first"):
            await delete(session, waiting)


@pytest.mark.parametrize(
    "message", [IntegrateBacklink(order_id=UUID(int=1), generation=1), GiveRefund(refund_id=UUID(int=2))]
)
async def test_a_job_that_works_for_a_paid_order_cannot_be_lost(database: Database, message: Job) -> None:
    job_id = await ask(database, message, "dead", subject="order/1")
    async with database.transaction() as session:
        with pytest.raises(Conflict, match=r"Retry it.*or deliver or refund the order by hand"):
            await delete(session, job_id)
        await session.execute(text("update jobs set finished_at = now() - interval '10 years'"))
        await forget_finished(session, timedelta(days=1))
        await session.execute(text("update jobs set state = 'cancelled'"))
        await forget_finished(session, timedelta(days=1))
        await session.execute(text("update jobs set state = 'dead'"))
        await retry(session, job_id)
        with pytest.raises(Conflict, match="works for somebody who has paid"):
            await cancel(session, job_id)
    assert (await row_of(database, job_id)).state is JobState.WAITING
