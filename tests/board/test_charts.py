"""What the board draws of how things went, and counts of what runs."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import insert

from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.jobs import board as glance
from models.jobs.board_tables import KindHourRow, MetricRow
from models.jobs.metrics import TIMES, Point, Span, history
from models.jobs.states import JobState
from models.jobs.tables import WorkerRow
from tests.board.conftest import Board
from web.board.charts import charts


async def test_a_step_in_which_no_job_ended_is_a_gap_and_not_no_time(board: Board):
    minute = now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    one_second = [int(number == TIMES.index(1.0)) for number in range(len(TIMES))]
    counts = {"minute": minute, "queue": "default", "completed": 1, "waits": one_second, "runs": one_second}
    async with board.database.transaction() as session:
        await session.execute(insert(MetricRow), [counts])
        points = await history(session, Span.HOUR)
    ended, waited, _ = charts(points, Span.HOUR)
    assert sorted(one[1] for one in ended["points"])[-2:] == [0, 1]
    assert [one[1] for one in waited["points"]].count(None) == len(waited["points"]) - 1
    page = (await (await board.browser(Role.ANALYST)).open("/admin/queues/default")).html
    assert "<td>0.0</td>" not in page
    assert "no jobs" in page


def test_whole_seconds_are_told_without_decimals():
    point = Point(now(), wait_p95=timedelta(seconds=36), wait_p50=timedelta(milliseconds=250))
    _, waited, _ = charts([point, point], Span.HOUR)
    assert [str(number) for number in waited["points"][0][1:]] == ["36", "0.25"]


async def test_each_line_of_a_chart_has_a_key_with_its_latest_number_and_unit(board: Board):
    minute = now().replace(second=0, microsecond=0)
    one_second = [int(number == TIMES.index(1.0)) for number in range(len(TIMES))]
    counts = {"queue": "default", "completed": 3, "dead": 1, "waits": one_second, "runs": one_second}
    # The page may be opened a minute later.
    rows = [counts | {"minute": one} for one in (minute - timedelta(minutes=1), minute)]
    async with board.database.transaction() as session:
        await session.execute(insert(MetricRow), rows)
    html = (await (await board.browser(Role.ANALYST)).open("/admin/queues/default")).html
    keys = re.findall(r"<li><svg[^>]*><polyline([^>]*)/></svg>([^<]*)</li>", html)
    assert [words.partition(":")[0] for _, words in keys] == [
        "done",
        "failed",
        *["slowest 5 %", "median"] * 2,
    ]
    # Not told by colour alone: the second line is dashed, in the key as in the drawing.
    assert ["stroke-dasharray" in line for line, _ in keys] == [False, True] * 3
    assert all(re.search(r": [\d.,]+ (jobs|s)$", words) for _, words in keys), keys
    assert re.findall(r'class="chart-top"[^>]*>[\d.,]+ (\w+)<', html) == ["jobs", "s", "s"]


async def test_charts_are_read_again_when_minutes_were_written_and_not_for_each_look(
    board: Board, monkeypatch: pytest.MonkeyPatch
):
    looks = 0

    async def counted(*args: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        return await history(*args, **named)

    monkeypatch.setattr("web.board.charts.history", counted)
    # What is kept is kept until the minute ends.
    begun = now()
    monkeypatch.setattr("web.board.charts.now", lambda: begun)
    browser = await board.browser(Role.ANALYST)
    minute = now().replace(second=0, microsecond=0) - timedelta(minutes=5)

    async def write(queue: str, completed: int) -> None:
        none = [0] * len(TIMES)
        row = {"minute": minute, "queue": queue, "completed": completed, "waits": none, "runs": none}
        anew = insert(MetricRow).values(**row)
        async with board.database.transaction() as session:
            await session.execute(anew.on_conflict_do_update(index_elements=["minute", "queue"], set_=row))

    await write("default", 3111)
    for path, drawn in (("", 1), ("", 1), ("?span=day", 2), ("/default", 3), ("/mail", 4), ("/default", 4)):
        screen = await browser.open(f"/admin/queues{path}")
        assert ("3,111" in screen.html) == (path in {"", "/default"}), path
        assert looks == drawn, path
    await write("default", 3222)
    assert "3,222" in (await browser.open("/admin/queues")).html
    assert looks == 5


async def test_the_first_page_looks_back_as_far_as_a_queues_does(board: Board):
    ana = await board.browser(Role.ANALYST)
    screen = await ana.open((await ana.open("/admin/queues")).link("7 days"))
    assert 'hx-sse:connect="/admin/queues/events?span=week"' in screen.html
    assert screen.html.count('<figure class="chart">') == 3


async def test_kinds_are_told_by_what_an_address_sorts_by_and_lead_to_their_jobs(board: Board):
    """One is quick and often done, one slow, and of one nothing has ended."""
    hour = now().replace(minute=0, second=0, microsecond=0)

    def counts(kind: str, completed: int, seconds: float) -> dict[str, Any]:
        times = [completed * (number == TIMES.index(seconds)) for number in range(len(TIMES))]
        return {"at": hour, "kind": kind, "completed": completed, "waits": times, "runs": times}

    rows = [counts("mail.quick", 1200, 1.0), counts("orders.idle", 0, 1.0), counts("orders.slow", 3, 63.0)]
    async with board.database.transaction() as session:
        await session.execute(insert(KindHourRow), rows)
    ana = await board.browser(Role.ANALYST)
    screen = await ana.open((await ana.open("/admin/queues")).link("Kinds"))
    assert "In this time no job was asked for" in screen.text
    screen = await ana.open(screen.link("24 hours"))
    assert re.findall(r"mail\.quick|orders\.idle|orders\.slow", screen.text) == [
        "mail.quick",
        "orders.idle",
        "orders.slow",
    ]
    assert "1,200" in screen.text
    assert screen.link("orders.slow") == "/admin/queues/jobs?q=kind:orders.slow"
    screen = await ana.open(screen.link("Ran, p95"))
    assert re.findall(r"mail\.quick|orders\.idle|orders\.slow", screen.text) == [
        "orders.slow",
        "mail.quick",
        "orders.idle",
    ]
    assert 'aria-sort="descending"' in screen.html
    assert "/admin/queues/kinds/events?span=day&amp;sort=run_p95" in screen.html


async def test_each_worker_is_told_with_all_that_it_runs(board: Board):
    ids = [new_id(), new_id()]
    rows = [{"id": one, "host": "galley-1", "pid": 7, "queues": {"default": 80}} for one in ids]
    async with board.database.transaction() as session:
        await session.execute(insert(WorkerRow), rows)
    for one in ids:
        await board.jobs(80, JobState.ACTIVE, worker_id=one, started_at=now())
    async with board.database.transaction() as session:
        found = await glance.workers(session, timedelta(seconds=8))
    assert [one.count for one in found] == [80, 80]
    assert [len(one.running) for one in found] == [glance.RUNNING_SHOWN] * 2
    page = (await (await board.browser(Role.ANALYST)).open("/admin/queues/workers")).text
    assert page.count("80 of 80") == 2
    assert page.count("and 76 more") == 2
