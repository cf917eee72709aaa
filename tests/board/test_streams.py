"""What the pages of the board tell while they are open: each stream's first fragment, and the one after a change."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from infra.local.visitor import Browser
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs.board_tables import AlertRow, KindMinuteRow
from models.jobs.bulk import begin, stop
from models.jobs.filter import Filter
from models.jobs.flows import enqueue_batch, pause_flow
from models.jobs.limits import Limit, set_limit
from models.jobs.metrics import TIMES
from models.jobs.queues import pause
from models.jobs.schedules import create
from models.jobs.states import AlertKind, BulkDeed, JobState
from models.jobs.tables import JobRow, WorkerRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from tests.web.site import Site
from tests.web.test_live import Stream

#: Each waits for what is looked at once a second.
pytestmark = pytest.mark.slow


@pytest.fixture
async def board(storefront: Site) -> AsyncIterator[Board]:
    """Behind a real server: without one, a stream is not read before it has ended."""
    async with AsyncExitStack() as browsers:
        yield Board(storefront, browsers)


@asynccontextmanager
async def following(browser: Browser, path: str) -> AsyncIterator[Stream]:
    """The stream of a page, as it is found there."""
    page = (await browser.open(f"/admin/queues{path}")).html
    address = page.partition('hx-sse:connect="')[2].partition('"')[0].replace("&amp;", "&")
    async with browser.client.stream("GET", address) as response:
        yield Stream(response)


Change = Callable[[Database], Awaitable[None]]


async def _paused(database: Database) -> None:
    async with database.transaction() as session:
        await pause(session, "default")


async def _a_worker(database: Database) -> None:
    async with database.transaction() as session:
        session.add(WorkerRow(host="galley-9", pid=7, queues={"default": 2}))


async def _a_limit(database: Database) -> None:
    async with database.transaction() as session:
        await set_limit(session, "host/new.example", Limit(max_running=1))


async def _an_alert(database: Database) -> None:
    async with database.transaction() as session:
        session.add(AlertRow(kind=AlertKind.BACKLOG, subject="default", words="More than 100 jobs wait."))


async def _a_flow(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_batch(session, "letters", [TendReviews()])


async def _a_bulk_action(database: Database) -> None:
    async with database.transaction() as session:
        await begin(session, Filter.read("kind:orders.of_tomorrow"), BulkDeed.RETRY, new_id())


async def _an_error(database: Database) -> None:
    async with database.transaction() as session:
        session.add(
            JobRow(
                kind=TendReviews.kind,
                queue="default",
                args={},
                state=JobState.DEAD,
                priority=5,
                rank_at=now(),
                run_at=now(),
                max_attempts=1,
                finished_at=now(),
                error="OSError: the disk was full",
                fingerprint="f00d",
            )
        )


async def _a_schedule(database: Database) -> None:
    rhythm: dict[str, Any] = {"cron": "0 6 * * *", "zone": "UTC", "made_by": new_id()}
    async with database.transaction() as session:
        await create(session, (), "reviews.early", kind=TendReviews.kind, args={}, **rhythm)


async def _a_lost_letter(database: Database) -> None:
    letter: dict[str, Any] = {"kind": "orders.ready", "to_address": "ada@example.com", "facts": {}}
    letter |= {"state": LetterState.UNKNOWN, "claimed_at": now() - timedelta(hours=1), "about": "order/1"}
    async with database.transaction() as session:
        session.add(EmailMessage(key="a lost letter", **letter))


async def _a_job_that_ended(database: Database) -> None:
    at, times = now().replace(second=0, microsecond=0), [0] * len(TIMES)
    counts: dict[str, Any] = {"minute": at, "completed": 1, "waits": times, "runs": times}
    async with database.transaction() as session:
        session.add(KindMinuteRow(kind="orders.of_tomorrow", **counts))


@pytest.mark.parametrize(
    ("path", "change", "told"),
    [
        ("/default?span=week", _paused, "Paused"),
        ("/workers", _a_worker, "galley-9"),
        ("/limits", _a_limit, "host/new.example"),
        ("/alerts", _an_alert, "More than 100 jobs wait."),
        ("/flows?show=open", _a_flow, "letters</a>"),
        ("/bulk", _a_bulk_action, "kind:orders.of_tomorrow"),
        ("/errors", _an_error, "the disk was full"),
        ("/schedules", _a_schedule, "reviews.early"),
        ("/effects", _a_lost_letter, "a lost letter"),
        ("/kinds", _a_job_that_ended, "orders.of_tomorrow"),
    ],
)
async def test_a_page_of_the_board_shows_what_changes_while_it_is_open(
    board: Board, path: str, change: Change, told: str
):
    async with following(await board.browser(Role.ADMIN), path) as stream:
        assert told not in await stream.whole()
        await change(board.database)
        assert told in await stream.whole()


async def test_what_is_typed_into_a_form_is_out_of_the_streams_reach(board: Board):
    ann = await board.browser(Role.ADMIN)
    async with following(ann, "/default") as queue, following(ann, "/limits") as limits:
        assert "<form" in (first := await queue.whole())
        assert 'id="limiting"' not in first + await limits.whole()


async def test_a_job_is_followed_until_it_has_ended(board: Board):
    job_id = await board.job()
    async with following(await board.browser(Role.EDITOR), f"/jobs/{job_id}") as stream:
        assert "No living worker" in await stream.whole()
        async with board.database.transaction() as session:
            ended = {"state": "completed", "finished_at": now()}
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(ended))
        assert "Done" in await stream.whole()
        assert (await stream.event())["event"] == "done"


async def test_a_flow_and_a_bulk_action_are_followed(board: Board):
    async with board.database.transaction() as session:
        flow_id = await enqueue_batch(session, "letters", [TendReviews()])
        bulk_id = await begin(session, Filter.read("state:dead"), BulkDeed.RETRY, new_id())
    ann = await board.browser(Role.ADMIN)
    async with following(ann, f"/flows/{flow_id}") as stream:
        assert "Paused" not in await stream.whole()
        async with board.database.transaction() as session:
            await pause_flow(session, flow_id)
        assert "Paused" in await stream.whole()
    async with following(ann, f"/bulk/{bulk_id}") as stream:
        assert "Stopped" not in await stream.whole()
        async with board.database.transaction() as session:
            await stop(session, bulk_id)
        assert "Stopped" in await stream.whole()
