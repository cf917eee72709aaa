"""A queue that falls silent because whom all of it asks has answered one of its jobs 429."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, text

from emails.post import NotAccepted
from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Wish, board, enqueue_all, gates
from models.jobs.fleet import load_of
from models.jobs.limits import Limit
from models.jobs.queues import end_silence, limit_queue, silence
from models.jobs.scaling import Load
from models.jobs.states import JobState
from models.jobs.store import Store
from models.jobs.tables import JobRow, QueueRow
from models.jobs.waiting import why_waiting
from models.mail.actions import write_letter
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from tasks.testing import working
from tasks.world import World
from tests.jobs.messages import Play

LEASE = timedelta(seconds=8)


async def ask(database: Database, act: str, count: int = 1) -> None:
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Play(act=act)) for _ in range(count)])


async def row_of(database: Database, queue: str = "test") -> QueueRow | None:
    async with database.transaction() as session:
        return await session.get(QueueRow, queue)


async def test_a_429_for_the_whole_queue_lets_nothing_of_it_begin_and_spends_no_attempt(world: World) -> None:
    database = world.database
    await ask(database, "queue too many")
    async with working(world, {"test": 4}), asyncio.timeout(5):
        while await row_of(database) is None:
            await asyncio.sleep(0.01)
    await ask(database, "return", 3)
    one = Store(world.settings.database.url, new_id(), "test")
    assert await one.claim({"test": 5}) == []  # also by a worker that has not heard of it
    assert await gates.gated(one, ["test"]) == {"test"}
    passed = await gates.claim(one, {"test": 5})
    assert passed.claims == []
    assert passed.opens_in is not None
    assert 50 < passed.opens_in <= 60
    async with database.transaction() as session:
        told, *waiting = (await session.scalars(select(JobRow).order_by(JobRow.id))).all()
        assert (told.state, told.attempt, told.snoozes) == (JobState.SCHEDULED, 0, 1)
        reasons = {one.what: one.words for one in await why_waiting(session, waiting[0], LEASE)}
        assert "the queue test begins again in" in reasons["silence"]
        [view] = await board.queues(session, LEASE, "test")
        assert view.closed_by == told.id
        assert load_of(view, now()) == Load()  # more workers would only be silent as well
        await end_silence(session, "test")
    assert await gates.gated(one, ["test"]) == set()
    assert len(await one.claim({"test": 5})) == 3
    await one.close()


async def test_a_worker_goes_on_by_itself_when_the_silence_is_over(world: World) -> None:
    """Limited or not, and although nobody rings."""
    database = world.database
    for limit in (None, Limit(2)):
        async with database.transaction() as session:
            await limit_queue(session, "test", limit)
            await silence(session, "test", timedelta(seconds=0.4), new_id())
        await ask(database, "return", 3)
        async with working(world, {"test": 4}) as receiver, asyncio.timeout(5):
            while receiver.counts["completed"] < 3:
                await asyncio.sleep(0.01)
        async with database.transaction() as session:
            early = "select count(*) from jobs where started_at < (select closed_until from job_queues)"
            assert await session.scalar(text(early)) == 0
            await session.execute(text("delete from jobs"))


async def test_the_longest_silence_counts_however_many_are_told_at_once(database: Database) -> None:
    ids = [new_id() for _ in range(6)]

    async def told(number: int) -> None:
        async with database.transaction() as session:
            await silence(session, "test", timedelta(minutes=number), ids[number])

    await asyncio.gather(*(told(number) for number in (3, 1, 5, 2, 4)))
    row = await row_of(database)
    assert row is not None
    assert row.closed_by == ids[5]


class TooFast:
    """A way to send that takes nothing, as SES does beyond its rate."""

    name = "outbox"

    def __init__(self) -> None:
        self.asked = 0

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        self.asked += 1
        await asyncio.sleep(0.05)
        raise NotAccepted("Maximum sending rate exceeded.", timedelta(seconds=30), is_crowded=True)


async def test_no_letter_is_tried_while_the_provider_wants_none(world: World) -> None:
    """Two workers of one slot and ten letters: two hear of it, and the others are not even taken."""
    post = TooFast()
    mine = replace(world, post=post)
    facts = {"board_url": "https://shop.example", "words": "Trouble", "since": "now", "until": None}
    async with world.database.transaction() as session:
        for number in range(10):
            await write_letter(session, "jobs.alert", "ada@example.com", facts, key=str(number))
    async with working(mine, {"mail": 1}), working(mine, {"mail": 1}), asyncio.timeout(5):
        while await row_of(world.database, "mail") is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    assert post.asked <= 2
    async with world.database.transaction() as session:
        letters = (await session.scalars(select(EmailMessage))).all()
        jobs = (await session.scalars(select(JobRow).where(JobRow.snoozes > 0))).all()
        spent = await session.scalar(select(JobRow.id).where(JobRow.attempt > 0))
    assert {one.state for one in letters} == {LetterState.QUEUED}
    assert (len(jobs), spent) == (post.asked, None)
