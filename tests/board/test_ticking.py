"""What is done to the jobs that are ticked in a list, and each refusal is told."""

from typing import Any

from sqlalchemy import update

from models.accounts.states import Role
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from tests.board.conftest import Board


async def test_what_is_ticked_is_done_and_what_came_too_late_is_counted(board: Board):
    dead = await board.jobs(2, JobState.DEAD)
    done = await board.job(JobState.COMPLETED)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/jobs")
    fields: dict[str, Any] = screen.form("selection").fields | {
        "job": [str(one) for one in (*dead, done)],
        "deed": "retry",
    }
    screen = await ed.send("/admin/queues/jobs/selection", "post", fields)
    assert "Run again: 2 of 3. 1 could not, and was left alone: Only a job that died or" in screen.text
    assert [(await board.row(one)).state for one in dead] == [JobState.WAITING] * 2
    assert len(await board.written_down()) == 2


async def test_a_button_stays_where_it_is_whatever_the_jobs_of_the_page_become(board: Board):
    job_id = await board.job()
    ed, ad = await board.browser(Role.EDITOR), await board.browser(Role.ADMIN)
    orders = []
    for state in (JobState.SCHEDULED, JobState.ACTIVE, JobState.DEAD, JobState.COMPLETED):
        async with board.database.transaction() as session:
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(state=state))
        orders += [list((await one.open("/admin/queues/jobs")).form("selection").buttons) for one in (ed, ad)]
    assert orders == [["Run again", "Run now", "Cancel"], ["Run again", "Run now", "Cancel", "Delete…"]] * 4
    assert 'name="job"' not in (await ed.open("/admin/queues/jobs?q=kind:none")).html


async def test_deleting_what_is_ticked_is_asked_first_and_leads_back_to_where_one_was(board: Board):
    done = await board.jobs(60, JobState.COMPLETED)
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/jobs?q=state:completed&sort=oldest")
    screen = await ad.open(screen.link("More jobs"))
    fields: dict[str, Any] = screen.form("selection").fields | {"job": str(done[-1]), "deed": "deletion"}
    there = screen.path
    asked = await ad.send("/admin/queues/jobs/selection", "post", fields)
    assert "Delete 1 job?" in asked.text
    assert (await board.row(done[-1])).state is JobState.COMPLETED
    screen = await ad.submit(asked.form("Delete for good"))
    assert "Delete: 1 of 1." in screen.text
    assert screen.path == there
