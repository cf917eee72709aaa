"""Who may look at what on the board, and who may do what: every address of it."""

import re
from base64 import urlsafe_b64decode
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import insert

from infra.local.visitor import Browser
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.base.paging import PAGE_SIZE, encode_cursor
from models.everything import SCHEDULES
from models.jobs.board_tables import BulkRow
from models.jobs.errors import understand
from models.jobs.flows import enqueue_batch
from models.jobs.limits import Limit, set_limit, slow_down
from models.jobs.schedules import create
from models.jobs.states import BulkDeed, JobState
from models.jobs.tables import AttemptRow, LogRow, SnoozeRow
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from tests.web.site import Site
from tests.web.test_live import Stream

BOARD: Final = "/admin/queues"
#: Stands in everything that a job carries, and in the keys that were made of it.
MARK: Final = "somebody-s-secret"
OWN: Final = "ours"
EDITORS: Final = (
    "/jobs/selection",
    *(f"/jobs/{{job_id}}/{deed}" for deed in ("retry", "promotion", "cancellation")),
    *(f"/flows/{{flow_id}}/{deed}" for deed in ("pause", "resumption", "cancellation")),
    *(f"/errors/{{fingerprint}}/{deed}" for deed in ("note", "doubt")),
    *(f"/{{queue}}/{deed}" for deed in ("pause", "resumption", "silence-end")),
    "/limits/silence-end",
)
ADMINS: Final = (
    "/jobs/new?kind=orders.tend_reviews",
    *(f"/jobs/{{job_id}}/{deed}" for deed in ("duplicate", "arguments", "deletion")),
    *("/bulk/new?q=state:dead", "/bulk/{bulk_id}/stop"),
    *("/{queue}/limit", "/{queue}/keeping", "/limits"),
    *("/schedules/new", "/schedules/{name}"),
    *(f"/schedules/{{name}}/{deed}" for deed in ("run", "pause", "resumption", "restoration", "removal")),
)


def routes(site: Site, method: str) -> list[str]:
    """The addresses of the board that take this, with `{name}` for what differs."""
    return [
        re.sub(r":\w+}", "}", route.path)
        for route in site.app.routes
        if route.path.startswith(BOARD) and method in route.methods
    ]


async def told(board: Board) -> list[dict[str, str]]:
    """Jobs that carry the mark wherever a job can, and whatever else has a page. One set of ids for each job."""
    at = now()
    carried: dict[str, Any] = {
        "args": {"site": MARK},
        "unique_key": f"check-target/{MARK}",
        "limit_key": f"host/{MARK}",
        "share_key": f"person/{MARK}",
        "subject": f"draft/{MARK}",
        "error": MARK,
        "words": MARK,
        "attempt": 1,
    }
    shown = {"result": {"site": MARK}, "fingerprint": "f00d", "started_at": at}
    jobs = [
        await board.job(JobState.DEAD, **carried | shown),
        await board.job(JobState.COMPLETED, subject=f"order/{MARK}", started_at=at, attempt=1),
        await board.job(JobState.ACTIVE, **carried | shown | {"unique_key": f"check-target/{MARK}/2"}),
        await board.job(
            JobState.WAITING,
            **carried
            | {"unique_key": f"check-target/{MARK}/3", "blocked_by": f"limit/host/{MARK}", "snoozes": 1},
        ),
        await board.job(
            JobState.SCHEDULED,
            **carried
            | {"unique_key": f"check-target/{MARK}/4", "run_at": at + timedelta(hours=1), "snoozes": 1},
        ),
    ]
    bulk = {"id": new_id(), "deed": BulkDeed.RETRY, "filter": f"error:{MARK}", "asked_by": new_id()}
    admin = await board.site.person("schedules@example.com", Role.ADMIN)
    async with board.database.transaction() as session:
        for one in jobs:
            tried = {"job_id": one, "attempt": 1, "outcome": "failed", "error": MARK, "traceback": MARK}
            await session.execute(insert(AttemptRow), [tried | {"fingerprint": "f00d", "started_at": at}])
            await session.execute(insert(LogRow), [{"job_id": one, "attempt": 1, "at": at, "line": MARK}])
            snoozed = {"job_id": one, "attempt": 1, "first_at": at, "at": at, "until": at}
            await session.execute(insert(SnoozeRow), [snoozed | {"why": MARK}])
        for number in range(PAGE_SIZE + 1):
            await set_limit(session, f"host/{MARK}-{number:02}", Limit(max_running=1))
        await set_limit(session, f"host/{MARK}", Limit(max_running=1))
        await understand(session, "f00d", MARK, admin)
        await slow_down(session, f"host/{MARK}", timedelta(minutes=5))
        await session.execute(insert(BulkRow), [bulk | {"created_at": at}])
        flow_id = await enqueue_batch(session, "letters", [TendReviews()])
        await create(
            session,
            SCHEDULES,
            OWN,
            kind="orders.tend_reviews",
            args={},
            cron="0 6 * * *",
            zone="UTC",
            made_by=admin,
        )
    others = {"flow_id": str(flow_id), "bulk_id": str(bulk["id"]), "fingerprint": "f00d", "queue": "default"}
    return [{"job_id": str(one), "name": OWN, "deed": "retry", **others} for one in jobs]


async def told_by(browser: Browser, address: str) -> str:
    """What is shown there, the page or the first event of the stream, and what its cursors say."""
    if not address.endswith("/events"):
        html = (await browser.open(address)).html
    else:
        async with browser.client.stream("GET", address) as response:
            html = await Stream(response).whole() if response.status_code == 200 else ""
    cursors = re.findall(r"cursor=([\w-]+)", html)
    return html + "".join(urlsafe_b64decode(one + "==").decode() for one in cursors)


@pytest.mark.slow
async def test_what_jobs_carry_is_told_to_editors_alone_on_every_page_and_in_every_stream(storefront: Site):
    async with AsyncExitStack() as browsers:
        board = Board(storefront, browsers)
        ids = await told(board)
        addresses = {path.format(**one) for path in routes(storefront, "GET") for one in ids}
        assert len([one for one in addresses if one.endswith("/events")]) > 10
        telling: dict[Role, set[str]] = {}
        for role in (Role.CUSTOMER, Role.ANALYST, Role.EDITOR):
            browser = await board.browser(role)
            telling[role] = {one for one in addresses if MARK in await told_by(browser, one)}
    assert telling[Role.CUSTOMER] == telling[Role.ANALYST] == set()
    # And it would have been found.
    for path in ("/jobs", "/errors", "/limits", "/limits/events"):
        assert f"{BOARD}{path}" in telling[Role.EDITOR]
    for one in ids:
        assert f"{BOARD}/jobs/{one['job_id']}" in telling[Role.EDITOR]


async def test_from_which_key_on_limits_are_shown_is_for_editors_to_say(board: Board):
    async with board.database.transaction() as session:
        await set_limit(session, f"host/{MARK}", Limit(max_running=1))
    for role, status in ((Role.ANALYST, 422), (Role.EDITOR, 200)):
        browser = await board.browser(role)
        cursor = encode_cursor("host/s")
        assert (await browser.open(f"{BOARD}/limits?cursor={cursor}")).status == status


async def test_the_table_of_what_is_done_names_every_address_that_takes_something(board: Board):
    known = [BOARD + one.partition("?")[0] for one in EDITORS + ADMINS]
    for route in routes(board.site, "POST"):
        # What is done is written out, and what it is done to stands in braces.
        pattern = re.escape(route).replace(r"\{deed\}", "[^/]+")
        assert any(re.fullmatch(pattern, one) for one in known), route


@pytest.mark.slow
async def test_nobody_does_what_is_for_a_higher_role_although_the_form_is_their_own(board: Board):
    ids = (await told(board))[-1]
    browsers = {role: await board.browser(role) for role in Role}
    tokens = {
        role: next(one.fields["_csrf_token"] for one in (await browser.open("/account")).forms if one.fields)
        for role, browser in browsers.items()
    }

    async def status(role: Role, address: str) -> int:
        form = {
            "_csrf_token": tokens[role],
            "job": ids["job_id"],
            "deed": "cancellation",
            "key": "host/x.example",
        }
        there = BOARD + address.format(**ids)
        return (await browsers[role].send(there, "post", form, follow=False)).status

    refused = {
        Role.EDITOR: (EDITORS, (Role.CUSTOMER, Role.ANALYST)),
        Role.ADMIN: (ADMINS, (Role.CUSTOMER, Role.ANALYST, Role.EDITOR)),
    }
    for addresses, roles in refused.values():
        for role in roles:
            found = {address: await status(role, address) for address in addresses}
            assert set(found.values()) == {404}, (role, found)
    assert await board.written_down() == []
    assert (await board.row(UUID(ids["job_id"]))).state is JobState.SCHEDULED
    # It was the role alone.
    for role, (addresses, _) in refused.items():
        found = {address: await status(role, address) for address in addresses}
        assert set(found.values()) <= {303, 422}, (role, found)
