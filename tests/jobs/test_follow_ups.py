"""What follows from the end of a job is asked for whatever this release understands of it: it may give money back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from models.base.db import Database, new_id
from models.jobs import Job, enqueue
from models.jobs.actions import Failure, bury, rescue
from models.jobs.cancelling import cancel
from models.jobs.endings import complete_in_flows, lock
from models.jobs.flows import Step, enqueue_flow
from models.jobs.message import MAX_ARGS_BYTES
from models.jobs.states import JobState
from models.jobs.store import Claim, Fence, Store
from models.jobs.tables import FlowRow, JobRow
from tasks.testing import run_everything
from tasks.world import World
from tests.jobs.messages import Mourn, Play

LEASE = timedelta(seconds=5)
#: Packed by a release in which the kind is there, or has no field `name`.
STRANGE: Any = {"kind": "test.of_another_release", "args": {"order": 7}}
UNFIT: Any = {"kind": Mourn.kind, "args": {"who": "Ada"}}
#: Nobody looks how long it is before it is to be asked for.
LONG: Any = {"kind": Mourn.kind, "args": {"name": "a" * MAX_ARGS_BYTES}}
#: Packed by a release in which it was not secret yet.
SECRET: Any = {"kind": "test.whisper", "args": {"words": "swordfish"}}


class Whisper(Job, frozen=True):
    kind: ClassVar[str] = "test.whisper"
    queue: ClassVar[str] = "test"
    secrets: ClassVar[tuple[str, ...]] = ("words",)
    words: str


class Paid(Play, frozen=True):
    """A play for which somebody has paid."""

    kind: ClassVar[str] = "test.paid_play"
    holds_money: ClassVar[bool] = True


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    one = Store(world.settings.database.url, new_id(), "a worker of the tests")
    yield one
    await one.close()


async def ask(database: Database, **columns: Any) -> UUID:
    """Ask for a job whose row says this in place of what it would say."""
    async with database.transaction() as session:
        job_id = await enqueue(session, Paid(act="return"), subject="order/7")
        await session.execute(update(JobRow).where(JobRow.id == job_id).values(columns))
    assert job_id is not None
    return job_id


async def followed(database: Database, packed: Any) -> JobRow:
    async with database.transaction() as session:
        return (await session.scalars(select(JobRow).where(JobRow.kind == packed["kind"]))).one()


def fence_of(store: Store, one: Claim) -> Fence:
    return Fence(one.id, one.attempt, store.worker_id, one.flow_id)


@pytest.mark.parametrize("packed", [STRANGE, UNFIT, LONG, SECRET], ids=["strange", "unfit", "long", "secret"])
async def test_what_is_not_understood_follows_as_it_stands(world: World, store: Store, packed: Any) -> None:
    await ask(world.database, when_dead=packed)
    [one] = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        await bury(session, fence_of(store, one), Failure("no"))
    row = await followed(world.database, packed)
    assert (row.args, row.queue, row.subject, row.is_held) == (packed["args"], "test", "order/7", True)
    assert row.state is JobState.WAITING


async def test_what_does_not_fit_its_kind_dies_where_somebody_sees_it(world: World, store: Store) -> None:
    await ask(world.database, when_dead=UNFIT)
    [one] = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        await bury(session, fence_of(store, one), Failure("no"))
        # A roll-out takes an hour.
        await session.execute(text("update jobs set created_at = created_at - interval '2 hours'"))
    await run_everything(world)
    row = await followed(world.database, UNFIT)
    assert (row.state, "`who`" in str(row.error)) == (JobState.DEAD, True)


async def test_a_flow_ends_although_nobody_knows_what_is_to_follow(world: World, store: Store) -> None:
    async with world.database.transaction() as session:
        flow_id = await enqueue_flow(session, "play", {"a": Step(Play(act="return"))}, subject="order/7")
        await session.execute(update(FlowRow).values(when_done=STRANGE))
    [one] = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        done = await complete_in_flows(session, store.worker_id, [(flow_id, one.id, one.attempt, None)])
    assert done == {one.id}
    assert (await followed(world.database, STRANGE)).subject == "order/7"


async def test_a_flow_is_cancelled_although_nobody_knows_what_follows_for_those_who_have_paid(
    database: Database,
) -> None:
    async with database.transaction() as session:
        steps = {
            "a": Step(Play(act="return")),
            "b": Step(Paid(act="return"), after=("a",), when_dead=Mourn(name="b")),
        }
        await enqueue_flow(session, "play", steps)
        await session.execute(update(JobRow).where(JobRow.step == "b").values(when_dead=STRANGE))
    async with database.transaction() as session:
        first = (await session.scalars(select(JobRow.id).where(JobRow.step == "a"))).one()
        assert await cancel(session, first) is JobState.CANCELLED
    assert (await followed(database, STRANGE)).is_held


async def test_a_job_that_cannot_be_buried_does_not_keep_others_from_being_rescued(
    database: Database,
) -> None:
    lost = {"state": JobState.ACTIVE, "worker_id": new_id(), "attempt": 1, "max_attempts": 1}
    broken = await ask(database, **lost, when_dead={})
    doomed = await ask(database, **lost, when_dead=Mourn(name="a job").packed())
    other = await ask(database, **lost | {"max_attempts": 3})
    async with database.transaction() as session:
        assert await rescue(session, LEASE) == [doomed, other]
    async with database.transaction() as session:
        states = {row.id: row.state for row in await session.scalars(select(JobRow))}
    assert [states[one] for one in (broken, doomed, other)] == [
        JobState.ACTIVE,
        JobState.DEAD,
        JobState.WAITING,
    ]
    assert (await followed(database, {"kind": Mourn.kind})).args == {"name": "a job"}


async def test_a_rescue_waits_for_a_flow_before_it_holds_any_of_its_jobs(database: Database) -> None:
    """Like everybody who ends one. Else each waits for what the other one holds."""
    async with database.transaction() as session:
        flow_id = await enqueue_flow(session, "play", {"a": Step(Play(act="return"))})
        worker_id = new_id()
        await session.execute(
            update(JobRow).values(state=JobState.ACTIVE, worker_id=worker_id, attempt=1, max_attempts=1)
        )
        job_id = (await session.scalars(select(JobRow.id))).one()

    async def save() -> list[UUID]:
        async with database.transaction() as session:
            return await rescue(session, LEASE)

    waiting = text(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    )
    async with asyncio.timeout(5), database.transaction() as session:
        await lock(session, flow_id)
        saving = asyncio.create_task(save())
        while not await session.scalar(waiting):
            await asyncio.sleep(0.01)
        assert await complete_in_flows(session, worker_id, [(flow_id, job_id, 1, None)]) == {job_id}
    assert await saving == []
