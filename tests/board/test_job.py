"""What the page of one job tells of its attempts, of who asked, and of what it wrote."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import new_id
from models.jobs import queries
from models.jobs.bulk import begin, do_chunk
from models.jobs.filter import Filter
from models.jobs.states import BulkDeed, JobState
from models.jobs.tables import AttemptRow, JobRow, LogRow, SnoozeRow, WorkerRow
from models.notices.jobs import DeliverWebhook
from models.orders.jobs import CreateOrder
from tests.board.conftest import Board
from web.board.history import patience


async def test_each_attempt_is_told_with_its_beginning_its_duration_and_its_worker(board: Board):
    at, worker = now(), new_id()
    running = {"attempt": 2, "started_at": at - timedelta(seconds=30), "worker_id": worker}
    job_id = await board.job(JobState.ACTIVE, **running)
    failed = {"job_id": job_id, "attempt": 1, "outcome": "failed", "error": "The model was silent."}
    failed |= {"started_at": at - timedelta(minutes=5), "finished_at": at - timedelta(minutes=4, seconds=18)}
    async with board.database.transaction() as session:
        row = {"id": worker, "host": "galley-1", "pid": 7, "queues": {"default": 2}}
        await session.execute(insert(WorkerRow), [row])
        await session.execute(insert(AttemptRow), [failed | {"worker_id": new_id()}])
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/jobs/{job_id}")
    assert "took 42 s" in screen.text
    assert "The model was silent." in screen.text
    assert screen.link("galley-1, pid 7") == f"/admin/queues/jobs?q=worker:{worker}"
    assert "a worker that is gone" in screen.text


async def test_the_time_that_a_dead_worker_took_is_not_told_as_waiting(board: Board):
    at = now()
    times = {"run_at": at - timedelta(minutes=25), "started_at": at - timedelta(seconds=3), "finished_at": at}
    job_id = await board.job(JobState.COMPLETED, attempt=2, **times)
    died = {"job_id": job_id, "attempt": 1, "outcome": "worker died", "started_at": times["run_at"]}
    async with board.database.transaction() as session:
        await session.execute(insert(AttemptRow), [died | {"finished_at": at - timedelta(seconds=7)}])
    ed = await board.browser(Role.EDITOR)
    assert "<dt>Waited</dt><dd>4 s</dd>" in (await ed.open(f"/admin/queues/jobs/{job_id}")).html


async def test_large_numbers_of_a_progress_can_be_read(board: Board):
    job_id = await board.job(JobState.ACTIVE, started_at=now(), attempt=1, done=123_456, total=1_000_000)
    ed = await board.browser(Role.EDITOR)
    assert "123,456 of 1,000,000" in (await ed.open(f"/admin/queues/jobs/{job_id}")).text


async def test_who_asked_is_told_to_those_who_may_look_at_people(board: Board):
    ad, ed = await board.browser(Role.ADMIN), await board.browser(Role.EDITOR)
    async with board.database.transaction() as session:
        asked_by = await session.scalar(select(Person.id).where(Person.email == "editor@example.com"))
    page = f"/admin/queues/jobs/{await board.job(asked_by=asked_by)}"
    assert (await ad.open(page)).link("editor@example.com") == f"/admin/people/{asked_by}"
    assert "a person, whom admins see" in (await ed.open(page)).text


def test_the_patience_of_a_kind_is_told_in_words():
    assert patience(DeliverWebhook, 8) == (
        "8 attempts: the second about 5 seconds after the first has failed, each later one after 6 times as long,"
        " at most 12 hours. Each may take 1 minute."
    )


async def test_a_job_that_was_run_again_says_why_it_may_be_tried_more_often_than_its_kind(board: Board):
    job_id = await board.job(JobState.DEAD, kind=DeliverWebhook.kind, attempt=9, max_attempts=16)
    ed = await board.browser(Role.EDITOR)
    told = (await ed.open(f"/admin/queues/jobs/{job_id}")).text
    assert "9 of 16" in told
    assert "8 attempts, and as many more whenever it is run again: the second about 5 seconds" in told


async def test_the_time_line_tells_seconds_and_parts_of_them_where_steps_are_near(board: Board):
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    times = {"started_at": at + timedelta(seconds=5, milliseconds=40)}
    times |= {"finished_at": at + timedelta(seconds=5, milliseconds=120)}
    job_id = await board.job(JobState.COMPLETED, attempt=1, created_at=at, run_at=at, **times)
    ed = await board.browser(Role.EDITOR)
    line = (await ed.open(f"/admin/queues/jobs/{job_id}")).text.partition("Time line")[2]
    assert re.findall(r"2 Mar 2026, (\S+) UTC", line)[:3] == ["09:30:05.120", "09:30:05.040", "09:30:00"]


async def test_the_time_line_names_who_asked_to_those_who_may_look_at_people(board: Board):
    ad, ed = await board.browser(Role.ADMIN), await board.browser(Role.EDITOR)
    async with board.database.transaction() as session:
        asked_by = await session.scalar(select(Person.id).where(Person.email == "editor@example.com"))
    page = f"/admin/queues/jobs/{await board.job(asked_by=asked_by)}"
    assert "Asked for editor@example.com ·" in (await ad.open(page)).text
    told = (await ed.open(page)).text
    assert "Asked for A person ·" in told
    assert "Asked for Galley" not in told
    # Nobody asked for this one.
    assert "Asked for Galley ·" in (await ad.open(f"/admin/queues/jobs/{await board.job()}")).text
    form = (await ad.open("/admin/queues/jobs/new?kind=orders.tend_reviews")).form("Ask for it")
    assert "Asked for by hand admin@example.com ·" in (await ad.submit(form)).text


async def test_what_a_job_wrote_long_ago_is_reached_page_by_page(board: Board):
    job_id = await board.job(JobState.ACTIVE, started_at=now(), attempt=2)
    written = [
        {"job_id": job_id, "attempt": 1 + number // 400, "at": now(), "line": f"line {number}."}
        for number in range(queries.LINES_SHOWN + 1)
    ]
    async with board.database.transaction() as session:
        await session.execute(insert(LogRow), written)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/jobs/{job_id}")
    assert "[2] line 500." in screen.text
    assert "line 400." not in screen.text
    latest = await ed.open(screen.link("All that it wrote"))
    assert "line 500." in latest.text
    first = await ed.open(latest.link("More lines, written before"))
    assert ("line 0." in first.text, "line 1." in first.text) == (True, False)
    ana = await board.browser(Role.ANALYST)
    assert (await ana.open(f"/admin/queues/jobs/{job_id}/lines")).status == 404


async def test_that_a_job_was_put_off_stands_in_its_time_line_with_the_reason(board: Board):
    at = now()
    job_id = await board.job(JobState.SCHEDULED, snoozes=38, run_at=at)
    rare = {
        "job_id": job_id,
        "attempt": 1,
        "first_at": at,
        "at": at - timedelta(minutes=2),
        "until": at,
        "times": 1,
    }
    often = {"attempt": 2, "times": 37, "first_at": at - timedelta(hours=1), "at": at - timedelta(seconds=30)}
    async with board.database.transaction() as session:
        rows = [
            rare | {"why": "model/writer was asked too often (429)."},
            rare | often | {"why": "It rains."},
        ]
        await session.execute(insert(SnoozeRow), rows)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/jobs/{job_id}")
    assert "Put off for 2 minutes" in screen.text
    assert "model/writer was asked too often (429)." in screen.text
    assert "Put off 37 times, at last for 30 seconds" in screen.text
    assert "It rains. The first time was " in screen.text


async def test_what_was_done_to_a_job_with_many_others_stands_in_its_time_line(board: Board):
    job_id = await board.job(JobState.DEAD)
    ad, ed = await board.browser(Role.ADMIN), await board.browser(Role.EDITOR)
    async with board.database.transaction() as session:
        asked_by = (await session.scalars(select(Person.id).where(Person.email == "admin@example.com"))).one()
        bulk_id = await begin(session, Filter.read("state:dead args.name:ada"), BulkDeed.RETRY, asked_by)
    # Nothing has been done to it yet.
    assert "all that matched" not in (await ad.open(f"/admin/queues/jobs/{job_id}")).text
    async with board.database.transaction() as session:
        await session.execute(update(JobRow).where(JobRow.id == job_id).values(args={"name": "ada"}))
        await do_chunk(session, bulk_id)
    screen = await ad.open(f"/admin/queues/jobs/{job_id}")
    assert screen.link("Run again, with all that matched") == f"/admin/queues/bulk/{bulk_id}"
    assert "admin@example.com" in screen.text
    told = (await ed.open(f"/admin/queues/jobs/{job_id}")).text
    assert "Run again, with all that matched" in told
    # What was searched for may be what jobs carry, and bulk actions are for admins.
    assert "args.name:ada" not in told
    assert str(bulk_id) not in told


async def test_what_works_for_somebody_who_has_paid_is_not_offered_to_be_undone_but_explained(board: Board):
    ad = await board.browser(Role.ADMIN)
    waiting = await board.job(kind=CreateOrder.kind, is_held=True)
    dead = await board.job(JobState.DEAD, kind=CreateOrder.kind, is_held=True)
    done = await board.job(JobState.COMPLETED, kind=CreateOrder.kind, is_held=True)
    for job_id, button in ((waiting, "Run now"), (dead, "Run again")):
        screen = await ad.open(f"/admin/queues/jobs/{job_id}")
        offered = {words for form in screen.forms for words in form.buttons}
        assert button in offered
        assert not {"Cancel", "Delete"} & offered
        assert "works for somebody who has paid, so it cannot be cancelled or deleted" in screen.text
    screen = await ad.open(f"/admin/queues/jobs/{done}")
    assert screen.link("Delete…") == f"/admin/queues/jobs/{done}/deleting"


async def test_a_job_that_was_asked_for_by_hand_and_cancelled_has_one_entry_for_each_click(board: Board):
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open("/admin/queues/jobs/new?kind=orders.tend_reviews")).form("Ask for it")
    screen = await ad.submit(form)
    screen = await ad.submit(screen.form("Cancel"))
    line = screen.text[screen.text.index("Time line") :]
    places = [
        line.index(words) for words in ("Cancelled Galley", "Cancellation asked for", "Asked for by hand")
    ]
    assert places == sorted(places)
    assert "Asked to stop" not in line
    assert line.count("Asked for") == 1
