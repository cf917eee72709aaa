"""The line that jobs are searched by: never cut, completed as it is typed, and what it says is what is counted."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from markupsafe import escape
from sqlalchemy import select

from models.accounts.states import Role
from models.base.settings.working import BoardSettings
from models.jobs import queries
from models.jobs.board_tables import BulkRow
from models.jobs.states import JobState
from tasks.world import World
from tests.board.conftest import Board
from tests.web.site import lasting_site
from web.board.searching import completions


def line(parts: int) -> str:
    """A search whose last word makes the difference."""
    return " ".join(
        ["state:dead", *(f"args.colour{number}:green" for number in range(parts)), "until:2026-11-20"]
    )


async def test_a_line_that_is_too_long_is_refused_and_none_is_cut(board: Board):
    longest, too_long = line(22), line(26)
    assert 254 < len(longest) <= 500 < len(too_long)
    ad = await board.browser(Role.ADMIN)
    for path in ("jobs", "bulk/new"):
        refused = await ad.open(f"/admin/queues/{path}?q={too_long}")
        assert refused.status == 422, path
        assert f"This takes {len(too_long)} characters; keep it below 500." in refused.text
    refused = await ad.open("/admin/queues/jobs?q=colour:red")
    assert refused.link("Dead 0") == "/admin/queues/jobs?q=state%3Adead"
    form = (await ad.open(f"/admin/queues/bulk/new?q={longest}")).form("bulk")
    await ad.submit(form, deed="delete")
    refused = await ad.send(f"/admin/queues/bulk/new?q={too_long}", "post", form.fields | {"deed": "delete"})
    assert refused.status == 422
    async with board.database.transaction() as session:
        assert (await session.scalars(select(BulkRow.filter))).one() == longest


async def test_before_a_deed_to_all_that_match_their_number_is_told(board: Board):
    await board.jobs(3, JobState.DEAD)
    ad = await board.browser(Role.ADMIN)
    assert "3 jobs now" in (await ad.open("/admin/queues/bulk/new?q=state:dead")).text
    assert "0 jobs now" in (await ad.open("/admin/queues/bulk/new?q=needle")).text


async def test_the_tabs_keep_what_is_between_quotation_marks_and_count_only_what_they_show(board: Board):
    await board.job(JobState.DEAD, error="No such state:dead letter.")
    ed = await board.browser(Role.EDITOR)
    assert "Dead 1" in (await ed.open("/admin/queues/jobs?q=state:dead")).text
    screen = await ed.open("/admin/queues/jobs?q=state:cancelled+error:%22such+state:dead%22")
    assert "Dead 1" not in screen.text
    screen = await ed.open(screen.link("Dead"))
    assert (screen.status, screen.html.count("orders.tend_reviews</a>")) == (200, 1)


def test_the_word_that_is_typed_is_completed_whatever_stands_before_it():
    assert completions("state:d", sees_payload=True) == ["state:dead"]
    assert completions("state:dead kind:orders.create_o", sees_payload=True) == [
        "state:dead kind:orders.create_order"
    ]
    assert completions("state:dead sta", sees_payload=True) == []
    assert completions("e", sees_payload=True) == ["error:"]
    assert completions("e", sees_payload=False) == []


async def test_completions_are_told_as_somebody_types(board: Board):
    ana = await board.browser(Role.ANALYST)
    screen = await ana.open("/admin/queues/jobs")
    assert 'hx-get="/admin/queues/jobs/completions"' in screen.html
    told = await ana.open("/admin/queues/jobs/completions?q=queue:default+state:sch")
    assert '"q-suggestions"><option value="queue:default state:scheduled"></option></datalist>' in told.html


async def test_an_installation_may_show_analysts_what_jobs_carry(world: World):
    shows = world.settings.model_copy(update={"board": BoardSettings(analysts_see_payloads=True)})
    async with AsyncExitStack() as browsers:
        board = Board(await lasting_site(shows, world.database, world.redis), browsers)
        job_id = await board.job(
            JobState.DEAD, args={"colour": "green"}, error="Too green.", fingerprint="f00d"
        )
        ana = await board.browser(Role.ANALYST)
        found = await ana.open("/admin/queues/jobs?q=args.colour:green")
        assert "Too green." in found.text
        assert "Too green." in (await ana.open("/admin/queues/errors")).text
        assert "colour" in (await ana.open(f"/admin/queues/jobs/{job_id}")).text
        assert [form.action for form in found.forms if "queues" in form.action] == ["/admin/queues/jobs"]


async def test_what_no_index_knows_is_looked_for_further_by_the_page_itself(
    board: Board, monkeypatch: pytest.MonkeyPatch
):
    """The first page answers at once; a browser with scripts asks for the next part by itself, any other by its button."""
    monkeypatch.setattr(queries, "STRETCH", 4)
    monkeypatch.setattr(queries, "SOON", timedelta())
    await board.job(JobState.COMPLETED, args={"colour": "green"})
    await board.jobs(20, JobState.COMPLETED)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/jobs?q=args.colour:green")
    assert "None found yet" in screen.text
    assert "hx-sse:connect" not in screen.html
    further = screen.link("Look further")
    assert f'hx-get="{escape(further)}" hx-trigger="load"' in screen.html
    screen = await ed.open(further)
    assert (screen.html.count("orders.tend_reviews</a>"), "None found yet" in screen.text) == (1, False)
    assert "hx-sse:connect" in screen.html
