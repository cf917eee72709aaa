"""Which jobs are meant, and one deed done to all of them."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict, Invalid
from models.base.paging import PAGE_SIZE
from models.jobs import Job, Wish, enqueue_all
from models.jobs.board_tables import BulkChunkRow
from models.jobs.bulk import begin, bulk_action, bulk_actions, do_chunk, done_to, stop
from models.jobs.cancelling import cancel
from models.jobs.filter import Filter
from models.jobs.jobs import DoBulkAction
from models.jobs.queries import Sort, jobs
from models.jobs.queues import pause
from models.jobs.states import BulkDeed
from models.jobs.tables import JobRow
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.selling import counting

ME = new_id()


class Peel(Job, frozen=True):
    kind: ClassVar[str] = "test.peel"
    queue: ClassVar[str] = "wool"
    apples: int
    by: dict[str, str] = {}  # noqa: RUF012 - msgspec copies defaults


class Sell(Peel, frozen=True):
    kind: ClassVar[str] = "test.sell"
    holds_money: ClassVar[bool] = True


async def make(database: Database, count: int, state: str = "dead", **wishes: Any) -> list[UUID]:
    """So many jobs, with one that holds money among them if there is more than one."""
    jobs: list[Job] = [Sell(apples=0)] if count > 1 else []
    jobs += [Peel(apples=number, by={"hand": "left"}) for number in range(1, count + 1 - len(jobs))]
    async with database.transaction() as session:
        ids = await enqueue_all(session, [Wish(job, **wishes) for job in jobs])
        ended = "now()" if state in {"dead", "completed"} else "null"
        await session.execute(
            text(f"update jobs set state = :state, finished_at = {ended} where id = any(:ids)"),
            {"state": state, "ids": ids},
        )
    return ids


async def found(database: Database, line: str) -> set[UUID]:
    async with database.transaction() as session:
        return set(await session.scalars(select(JobRow.id).where(*Filter.read(line).conditions())))


async def counts(database: Database) -> dict[str, int]:
    async with database.transaction() as session:
        rows = await session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
        return {state.value: count for state, count in rows}


async def test_a_line_of_words_finds_the_jobs_that_it_means(database: Database) -> None:
    sold, *peeled = await make(database, 4, subject="order/7")
    other = (await make(database, 1, "waiting", asked_by=ME))[0]
    async with database.transaction() as session:
        await session.execute(
            text(
                "update jobs set error = 'TimeoutError: 100% zu SPÄT, late, don''t ask https://a.example/x:1', fingerprint = 'f1'"
                " where id = :id"
            ),
            {"id": peeled[0]},
        )
        await session.execute(
            text("update jobs set id = '01000000-0000-7000-8000-000000000000' where id = :id"), {"id": other}
        )
    old = UUID("01000000-0000-7000-8000-000000000000")
    everything = {sold, *peeled, old}
    for line, meant in {
        "": everything,
        "state:dead,completed": {sold, *peeled},
        "kind:test.sell": {sold},
        "queue:wool subject:order/7 args.apples:2": {peeled[1]},
        "args.by.hand:left state:waiting": {old},
        f"args.{'a.' * 110}a:1": set(),
        "error:100%": {peeled[0]},
        "fingerprint:f1": {peeled[0]},
        f"asked_by:{ME}": {old},
        "since:2h": {sold, *peeled},
        "until:2h": {old},
        f"since:{now() + timedelta(hours=1):%Y-%m-%dT%H:%M}": set(),
        "timeouterror": {peeled[0]},
        "error:ZU": {peeled[0]},
        "error:spät": {peeled[0]},
        "don't": {peeled[0]},
        "https://a.example/x:1": {peeled[0]},
        'error:"late, don\'t ask"': {peeled[0]},
        '"TimeoutError: 100%"': {peeled[0]},
        "error:https://a.example state:dead": {peeled[0]},
        '"left"': {*peeled, old},
        str(sold): {sold},
    }.items():
        assert await found(database, line) == meant, line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("state:sleeping", "state:sleeping cannot be read: one state"),
        ("flow:seven", "flow:seven cannot be read"),
        ("since:yesterday", "since:yesterday cannot be read"),
        ("since:123456d", "since:123456d"),
        ("colour:red", "'colour:red' is not known"),
        ("colour:", "'colour:' is not known"),
        ("kind:", "kind: lacks what should follow it: the exact kind"),
        ('args.order_id:""', "args.order_id: lacks what should follow it: the value of an argument"),
        ("kind:a kind:b", "kind: is there twice"),
        ('"open', "A quotation mark"),
        ("x" * 600, "600 characters"),
    ],
)
def test_words_that_cannot_be_understood_are_refused(line: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        Filter.read(line)
    assert words in refused.value.fields["q"]


def test_a_filter_knows_whether_an_index_answers_it() -> None:
    assert Filter.read("state:dead error:late").is_indexed
    assert Filter.read("subject:order/7").is_indexed
    assert not Filter.read("state:completed args.apples:7").is_indexed
    assert not Filter.read("late").is_indexed
    assert str(Filter.read(" state:dead  late ")) == "state:dead  late"


async def test_a_bulk_action_does_its_deed_to_what_was_there_and_says_what_it_could_not_do(
    world: World,
) -> None:
    await make(world.database, 5)
    await make(world.database, 1, "completed")
    async with world.database.transaction() as session:
        bulk_id = await begin(session, Filter.read("state:dead since:1h"), BulkDeed.DELETE, ME)
    await make(world.database, 1)
    await run_everything(world, within=60)
    async with world.database.transaction() as session:
        row = await bulk_action(session, bulk_id)
        entries = (await session.scalars(select(AuditEntry))).all()
        assert (await bulk_actions(session)).items == [row]
    assert (row.total, row.done, row.refused) == (5, 4, 1)
    assert "works for somebody who has paid" in str(row.refusal)
    assert row.finished_at is not None
    # The one that holds money, and the one that came later, are there.
    assert (await counts(world.database))["dead"] == 2
    assert [(entry.action, entry.detail["done"]) for entry in entries] == [("jobs.bulk_delete_ended", 4)]


async def test_a_bulk_action_is_done_although_its_own_queue_is_paused(world: World) -> None:
    """To pause everything and then to clear up is what people do about jobs that run away."""
    await make(world.database, 1, "waiting")
    async with world.database.transaction() as session:
        await pause(session, "default")
        await pause(session, "wool")
        bulk_id = await begin(session, Filter.read("queue:wool"), BulkDeed.CANCEL, ME)
    await run_everything(world)
    async with world.database.transaction() as session:
        assert (await bulk_action(session, bulk_id)).done == 1


@pytest.mark.parametrize("end", ["cancelled", "dead"])
async def test_a_bulk_action_without_its_job_has_ended_and_says_why(world: World, end: str) -> None:
    await make(world.database, 3)
    async with world.database.transaction() as session:
        # Whatever else waits: what ends it runs where it ran itself.
        await pause(session, "default")
        bulk_id = await begin(session, Filter.read("state:dead queue:wool"), BulkDeed.PROMOTE, ME)
    async with world.database.transaction() as session:
        await do_chunk(session, bulk_id, 1)
        job_id = (await session.scalars(select(JobRow.id).where(JobRow.kind == DoBulkAction.kind))).one()
        if end == "cancelled":
            await cancel(session, job_id)
        else:  # as if something had gone wrong twenty times
            await session.execute(text("update jobs set args = '{}' where id = :id"), {"id": job_id})
    if end == "dead":
        await run_everything(world)
    async with world.database.transaction() as session:
        row = await bulk_action(session, bulk_id)
        with pytest.raises(Conflict):
            await stop(session, bulk_id)
    assert (row.refused, row.finished_at is not None, row.stopped_at is not None) == (1, True, True)
    because = {
        "cancelled": "Its job was cancelled.",
        "dead": "Its job was given up: ValidationError: Object missing required field `bulk_id`",
    }
    assert row.stopped_because == because[end]


async def test_chunks_that_are_done_twice_or_at_once_count_once(database: Database) -> None:
    await make(database, 24)
    async with database.transaction() as session:
        bulk_id = await begin(session, Filter.read("state:dead"), BulkDeed.RETRY, ME)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await do_chunk(session, bulk_id, 10)
            raise ZeroDivisionError

    async def chunk() -> None:
        async with database.transaction() as session:
            await do_chunk(session, bulk_id, 10)

    await asyncio.gather(*(chunk() for _ in range(4)))
    async with database.transaction() as session:
        row = await bulk_action(session, bulk_id)
    assert (row.total, row.done, row.refused) == (24, 24, 0)
    assert row.finished_at is not None
    assert (await counts(database)) == {"waiting": 25}  # and the job that does it


async def test_a_job_tells_of_every_bulk_action_that_did_something_to_it(database: Database) -> None:
    refused, first, *_, last = await make(database, 6, "waiting")
    begun = {}
    for deed in (BulkDeed.CANCEL, BulkDeed.RETRY, BulkDeed.PROMOTE):
        async with database.transaction() as session:
            begun[deed] = await begin(session, Filter.read("queue:wool"), deed, ME)
        for _ in range(4):
            async with database.transaction() as session:
                await do_chunk(session, begun[deed], 2)
    async with database.transaction() as session:
        told = {job_id: [row.deed for row, _ in await done_to(session, job_id)] for job_id in (first, last)}
        assert set(map(tuple, told.values())) == {(BulkDeed.RETRY, BulkDeed.CANCEL)}
        # It holds money, and nothing was ever done to it; it comes before the first of a chunk that others are in.
        assert await done_to(session, refused) == []
        chunks = (await session.scalars(select(BulkChunkRow))).all()
    assert sorted(len(one.job_ids) for one in chunks) == [1, 1, 2, 2, 2, 2]
    later = (await make(database, 1))[0]
    async with database.transaction() as session:
        assert await done_to(session, later) == []


async def test_a_chunk_of_cancellations_costs_as_much_as_one_of_them(database: Database) -> None:
    spent = []
    for count in (2, 40):
        held, *ids = await make(database, count + 1, "waiting")
        async with database.transaction() as session:
            bulk_id = await begin(session, Filter.read("queue:wool state:waiting"), BulkDeed.CANCEL, ME)
        async with counting(database) as statements, database.transaction() as session:
            await do_chunk(session, bulk_id)
        spent.append(len(statements))
        async with database.transaction() as session:
            row = await bulk_action(session, bulk_id)
            assert (row.done, row.refused) == (count, 1)
            assert "works for somebody who has paid" in str(row.refusal)
            chunk = (await session.scalars(select(BulkChunkRow).where(BulkChunkRow.bulk_id == bulk_id))).one()
            assert chunk.job_ids == sorted(ids)
            await session.execute(text("delete from jobs where id = :id"), {"id": held})
    assert spent[0] == spent[1]


async def test_a_bulk_action_that_is_stopped_goes_no_further(database: Database) -> None:
    await make(database, 6)
    async with database.transaction() as session:
        bulk_id = await begin(session, Filter.read("queue:wool"), BulkDeed.RETRY, ME)
    async with database.transaction() as session:
        await do_chunk(session, bulk_id, 5)
        await stop(session, bulk_id)
    async with database.transaction() as session:
        row = await do_chunk(session, bulk_id)
        assert (row.done, row.finished_at is not None) == (5, True)
        with pytest.raises(Conflict):
            await stop(session, bulk_id)


@pytest.mark.parametrize(
    ("deed", "state", "expected"),
    [
        (BulkDeed.CANCEL, "waiting", {"cancelled": 2, "waiting": 2}),
        (BulkDeed.PROMOTE, "scheduled", {"waiting": 4}),
        (BulkDeed.PRIORITY, "waiting", {"waiting": 4}),
    ],
)
async def test_every_deed_can_be_done(
    database: Database, deed: BulkDeed, state: str, expected: dict[str, int]
) -> None:
    await make(database, 3, state)
    async with database.transaction() as session:
        bulk_id = await begin(session, Filter.read(f"state:{state} queue:wool"), deed, ME, priority=1)
    async with database.transaction() as session:
        await do_chunk(session, bulk_id)
    assert await counts(database) == expected


async def test_a_deed_to_everything_is_refused(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(Invalid, match="problem"):
            await begin(session, Filter.read(" "), BulkDeed.DELETE, ME)


async def test_the_words_of_an_error_are_looked_for_among_what_failed(database: Database) -> None:
    await make(database, 4, subject="order/7")
    async with database.transaction() as session:
        await session.execute(text("update jobs set error = 'late' where kind = 'test.sell'"))
        await session.execute(text("set local enable_seqscan = off"))
        places = Filter.read("error:late").places()
        query = select(JobRow.id).where(*places).order_by(JobRow.id.desc()).limit(1)
        statement = query.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(await session.scalars(text(f"explain {statement}")))
    assert "jobs_failed" in plan


@pytest.mark.slow
async def test_what_waits_is_not_looked_for_among_what_is_done_nor_the_other_way_round(
    database: Database,
) -> None:
    done, waiting = 80_000, 6_000
    many = text(
        "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, state)"
        " select (:first || lpad(to_hex(number), 12, '0'))::uuid, 'orders.tend_reviews', 'default', '{}',"
        " 5, now(), now(), 3, :state from generate_series(1, :count) number"
    )
    # Rows that were looked at by this transaction and some before, by way of the table or of an index.
    read = text(
        "select sum(pg_stat_get_xact_tuples_fetched(oid)) from pg_class where oid = 'jobs'::regclass"
        " or oid in (select indexrelid from pg_index where indrelid = 'jobs'::regclass)"
    )
    async with database.transaction() as session:
        for first, state, count in (("0", "completed", done), ("1", "waiting", waiting)):
            await session.execute(
                many, {"first": f"{first}1999999-0000-7000-8000-", "state": state, "count": count}
            )
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum (analyze) jobs"))
    for line, sort, found, most in (
        ("state:waiting kind:orders.create_order", Sort.NEWEST, 0, done),
        ("state:waiting", Sort.OLDEST, PAGE_SIZE, done),
        ("state:completed", Sort.NEWEST, PAGE_SIZE, waiting),
        ("state:completed kind:orders.tend_reviews", Sort.NEWEST, PAGE_SIZE, waiting),
    ):
        async with database.transaction() as session:
            before = await session.scalar(read) or 0
            page = await jobs(session, Filter.read(line), sort=sort, patience=timedelta(minutes=1))
            assert (len(page.items), page.next_cursor is None) == (found, found == 0)
            assert (await session.scalar(read) or 0) - before < most, line
