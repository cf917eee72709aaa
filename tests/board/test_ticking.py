"""What is done to the jobs that are ticked in a list: only what one of them takes, and each refusal is told."""

from typing import Any

import pytest

from models.accounts.states import Role
from models.jobs.states import JobState
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


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (JobState.SCHEDULED, {"Run now", "Cancel"}),
        (JobState.DEAD, {"Run again"}),
        (JobState.ACTIVE, {"Cancel"}),
    ],
)
async def test_only_what_some_job_of_the_page_takes_is_offered(
    board: Board, state: JobState, offered: set[str]
):
    await board.job(state)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/jobs")
    assert screen.form("selection").buttons.keys() == offered
    await board.jobs(25, JobState.COMPLETED)
    screen = await ed.open("/admin/queues/jobs")
    assert "selection" not in {one.id for one in screen.forms}
    assert 'name="job"' not in screen.html


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
