"""Many dead jobs that run again at once: in few statements, with what each of them would have done by itself."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from models.base.db import Database, new_id, news_of
from models.base.errors import Conflict
from models.jobs import Job, Wish, endings, enqueue_all
from models.jobs.board_tables import BulkChunkRow, BulkRow
from models.jobs.bulk import begin, bulk_action, do_chunk
from models.jobs.dead import retry
from models.jobs.endings import PARENT_FAILED
from models.jobs.filter import Filter
from models.jobs.flows import Step, enqueue_flow, pause_flow
from models.jobs.states import BulkDeed
from models.jobs.tables import FlowRow, JobRow
from tasks.world import World
from tests.orders.selling import counting

ME = new_id()


class Knead(Job, frozen=True):
    kind: ClassVar[str] = "test.knead"
    queue: ClassVar[str] = "dough"
    attempts: ClassVar[int] = 7
    loaves: int = 1


class Proof(Knead, frozen=True):
    kind: ClassVar[str] = "test.proof"
    holds_money: ClassVar[bool] = True


class Leaven(Knead, frozen=True):
    kind: ClassVar[str] = "test.leaven"
    secrets: ClassVar[tuple[str, ...]] = ("recipe",)
    recipe: str = ""


_BURY = text(
    "update jobs set state = 'dead', attempt = 3, error = 'burnt', fingerprint = 'f1', finished_at = now()"
    " where id = any(:ids)"
)


async def bury(session: AsyncSession, ids: Sequence[UUID]) -> None:
    await session.execute(_BURY, {"ids": list(ids)})


async def dead(database: Database, *wishes: Wish) -> list[UUID]:
    """Jobs that have died, in the order of their ids. Those who want the same key have had it one after the other."""
    async with database.transaction() as session:
        for wish in wishes:
            await enqueue_all(session, [wish])
            await bury(session, [wish.id])
    return [wish.id for wish in wishes]


async def bulk(database: Database) -> UUID:
    async with database.transaction() as session:
        return await begin(session, Filter.read("queue:dough"), BulkDeed.RETRY, ME)


async def stand(session: AsyncSession) -> tuple[list[Any], list[Any], Any]:
    """All that a retry may change, without the times: jobs in the order in which they are claimed, flows, the news."""
    left = {"run_at", "rank_at", "created_at"}
    columns = [one for one in JobRow.__table__.columns if one.name not in left]
    jobs = select(*columns).where(JobRow.queue == "dough").order_by(JobRow.rank_at, JobRow.id)
    flows = select(FlowRow.id, FlowRow.done, FlowRow.failed, FlowRow.finished_at).order_by(FlowRow.id)
    news = session.info.pop("news")
    told = news.queues, {one for one in news.topics if not one.startswith("bulk/")}
    return list(await session.execute(jobs)), list(await session.execute(flows)), told


async def test_jobs_that_run_again_at_once_are_as_if_each_was_asked_for_alone(world: World) -> None:
    database = world.database
    shares = ["person/1", "person/1", "person/2", "person/1", "person/2"]
    await dead(
        database,
        *(Wish(Knead(loaves=number), share=share) for number, share in enumerate(shares)),
        Wish(Proof(), subject="order/7", priority=1),
        Wish(Leaven(recipe="grandmother's"), keys=world.keys, priority=9),
        *(Wish(Knead(loaves=number), unique="same") for number in range(3)),
        Wish(Knead(), unique="taken"),
        Wish(Knead(), unique="free"),
    )
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Knead(), unique="taken"), Wish(Knead(), share="person/1")])
        steps = {"mix": Step(Knead()), "bake": Step(Knead(), after=("mix",)), "tidy": Step(Knead())}
        for is_paused in (False, True):
            flow_id = await enqueue_flow(session, "a bakery", steps)
            if is_paused:
                await pause_flow(session, flow_id)
            jobs = (await session.scalars(select(JobRow.id).where(JobRow.flow_id == flow_id))).all()
            await bury(session, jobs)
            given_up = text("update jobs set state = 'cancelled', error = :words where step = 'bake'")
            await session.execute(given_up, {"words": PARENT_FAILED})
            await session.execute(text("update job_flows set failed = 3, finished_at = now()"))
    bulk_id = await bulk(database)
    async with database.transaction() as session:
        news_of(session).topics.clear()
        alone, refused = await session.begin_nested(), 0
        there = select(JobRow.id).where(JobRow.queue == "dough").order_by(JobRow.id)
        for job_id in (await session.scalars(there)).all():
            try:
                async with session.begin_nested():
                    await retry(session, job_id)
            except Conflict:
                refused += 1
        expected = await stand(session)
        await alone.rollback()
        row = await do_chunk(session, bulk_id)
        assert await stand(session) == expected
        # Two of the same key, what was taken, who took it, and who waits; and what came back with each flow.
        assert row.refused == refused == 2 + 1 + 2 + 2
        jobs, _, (queues, topics) = expected
        assert [job.state.value for job in jobs].count("dead") == 3
        # One of person/1 waits already.
        assert [job.args["loaves"] for job in jobs if job.share_key] == [1, 2, 0, 4, 1, 3]
        assert queues == {"dough"}
        assert topics > {"order/7", *(f"job/{job.id}" for job in jobs if job.share_key and job.attempt)}


async def test_a_chunk_of_retries_costs_as_much_as_one_of_them(database: Database) -> None:
    spent = []
    for count in (2, 40):
        wishes = [Wish(Knead(), unique=f"{count}/{number}", share="me") for number in range(count)]
        # One alone asks why not.
        *ids, second = await dead(database, *wishes, Wish(Knead(), unique=f"{count}/0"))
        bulk_id = await bulk(database)
        async with counting(database) as statements, database.transaction() as session:
            await do_chunk(session, bulk_id)
        spent.append(len(statements))
        async with database.transaction() as session:
            row = await bulk_action(session, bulk_id)
            assert (row.done, row.refused) == (count, 1)
            chunk = (await session.scalars(select(BulkChunkRow).where(BulkChunkRow.bulk_id == bulk_id))).one()
            assert chunk.job_ids == sorted(ids)
            await session.execute(text("delete from jobs where id = any(:ids)"), {"ids": [*ids, second]})
    assert spent[0] == spent[1]


async def chunk(database: Database, bulk_id: UUID) -> BulkRow:
    async with database.transaction() as session:
        return await do_chunk(session, bulk_id)


async def something_waits(session: AsyncSession) -> None:
    async with asyncio.timeout(5):
        while not await session.scalar(text("select count(*) from pg_locks where not granted")):
            await asyncio.sleep(0.01)


async def test_a_key_that_is_taken_meanwhile_keeps_back_its_own_job_alone(database: Database) -> None:
    await dead(database, *(Wish(Knead(), unique=f"bread/{number}") for number in range(5)))
    bulk_id = await bulk(database)
    with capture_logs():
        async with database.transaction() as session:
            await enqueue_all(session, [Wish(Proof(), unique="bread/2")])
            doing = asyncio.create_task(chunk(database, bulk_id))
            await something_waits(session)
        row = await doing
    assert (row.done, row.refused) == (4, 1)
    assert "another one does its work" in str(row.refusal)


async def test_a_job_that_somebody_else_lets_run_again_meanwhile_is_left_to_them(database: Database) -> None:
    _, theirs, _ = await dead(database, *(Wish(Knead()) for _ in range(3)))
    bulk_id = await bulk(database)
    async with database.transaction() as session:
        await retry(session, theirs)
        doing = asyncio.create_task(chunk(database, bulk_id))
        await something_waits(session)
    row = await doing
    assert (row.done, row.refused) == (2, 1)
    assert "this one is waiting" in str(row.refusal)


async def test_a_chunk_of_retries_holds_the_flows_before_any_job(database: Database) -> None:
    """Who ends a job of a flow holds it, and then other jobs: they would wait for each other."""
    (outside,) = await dead(database, Wish(Knead()))
    async with database.transaction() as session:
        flow_id = await enqueue_flow(session, "a bakery", {"mix": Step(Knead())})
        inside = (await session.scalars(select(JobRow.id).where(JobRow.flow_id == flow_id))).all()
        await bury(session, inside)
        await session.execute(text("update job_flows set failed = 1, finished_at = now()"))
    bulk_id = await bulk(database)
    async with database.transaction() as session:
        await endings.lock(session, flow_id)
        doing = asyncio.create_task(chunk(database, bulk_id))
        await something_waits(session)
        free = text("select count(*) from (select from jobs where id = :id for update nowait) job")
        assert await session.scalar(free, {"id": outside}) == 1
    assert (await doing).done == 2
