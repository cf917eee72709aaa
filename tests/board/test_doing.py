"""What people do on the board: each of it once, checked, and written down."""

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.jobs.board_tables import BulkRow
from models.jobs.flows import Step, enqueue_flow
from models.jobs.queues import silence
from models.jobs.schedules import create
from models.jobs.states import JobState
from models.jobs.tables import JobRow, LimitRow, QueueRow, ScheduleRow
from models.mail.actions import write_own_letter
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.notices.jobs import LETTER, Email, Notification
from models.orders.jobs import CreateOrder, TendReviews
from tests.board.conftest import Board
from web.board.deeds import DEEDS

ID = "01999999-0000-7000-8000-000000000001"


async def test_a_dead_job_runs_again_when_somebody_says_so_and_only_once(board: Board):
    job_id = await board.job(JobState.DEAD, attempt=3)
    ed = await board.browser(Role.EDITOR)
    form = (await ed.open(f"/admin/queues/jobs/{job_id}")).form("Run again")
    assert "It waits for a worker again." in (await ed.submit(form)).text
    job = await board.row(job_id)
    assert (job.state, job.attempt, job.max_attempts) == (JobState.WAITING, 3, 6)
    assert "can run again; this one is waiting." in (await ed.submit(form)).text
    assert await board.written_down() == [("job.retried", f"job/{job_id}")]
    assert "Run again" in (await ed.open(f"/admin/queues/jobs/{job_id}")).text


async def test_a_waiting_job_is_put_first_or_cancelled(board: Board):
    job_id = await board.job(JobState.SCHEDULED)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/jobs/{job_id}")
    screen = await ed.submit(screen.form("Run now"))
    assert (await board.row(job_id)).run_anyway
    await ed.submit(screen.form("Cancel"))
    assert (await board.row(job_id)).state is JobState.CANCELLED
    assert [action for action, _ in await board.written_down()] == ["job.promoted", "job.cancelled"]


@pytest.mark.parametrize("deed", DEEDS)
async def test_whatever_is_done_to_a_job_that_is_not_there_finds_nothing(board: Board, deed: str):
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open(f"/admin/queues/jobs/{await board.job(JobState.WAITING)}")).form("Cancel")
    refused = await ad.send(f"/admin/queues/jobs/{new_id()}/{deed}", "post", form.fields)
    assert (refused.status, refused.heading) == (404, "Page not found")
    assert await board.written_down() == []


async def test_an_admin_deletes_what_has_ended_but_nothing_that_holds_money(board: Board):
    done = await board.job(JobState.COMPLETED, args={"to": "ada@example.com"}, subject="order/7")
    paid = await board.job(JobState.DEAD, is_held=True)
    ad, ed = await board.browser(Role.ADMIN), await board.browser(Role.EDITOR)
    form = (await ad.open(f"/admin/queues/jobs/{done}/deleting")).form("Delete for good")
    refused = await ad.send(f"/admin/queues/jobs/{paid}/deletion", "post", form.fields)
    assert "works for somebody who has paid" in refused.text
    assert "Delete" not in (await ed.open(f"/admin/queues/jobs/{done}")).text
    assert "The job is deleted." in (await ad.submit(form)).text
    assert (await ad.open(f"/admin/queues/jobs/{done}")).status == 404
    assert await board.written_down() == [("job.deleted", f"job/{done}")]
    # What it was is known afterwards, and nothing that it carried.
    known = {"kind": "orders.tend_reviews", "queue": "default", "was": "completed", "about": "order/7"}
    assert await board.details("job.deleted") == [known]


async def test_a_letter_that_was_not_sent_is_taken_back_with_its_job_and_written_anew(board: Board):
    job_id = await board.job(JobState.SCHEDULED, kind=Email.kind)
    about = f"job/{job_id}"
    letter: dict[str, Any] = {
        "kind": LETTER,
        "to": "ada@example.com",
        "facts": {},
        "key": about,
        "about": about,
    }
    async with board.database.transaction() as session:
        first = await write_own_letter(session, **letter)
    ed = await board.browser(Role.EDITOR)
    await ed.submit((await ed.open(f"/admin/queues/jobs/{job_id}")).form("Cancel"))
    async with board.database.transaction() as session:
        assert (await session.get_one(EmailMessage, first)).state is LetterState.OBSOLETE
        assert await write_own_letter(session, **letter) != first


async def test_a_step_that_waits_for_others_is_not_offered_to_run_now(board: Board):
    ed = await board.browser(Role.EDITOR)
    for waits, offered in ((0, True), (1, False)):
        job_id = await board.job(parents_left=waits, blocked_by="parents" if waits else None)
        screen = await ed.open(f"/admin/queues/jobs/{job_id}")
        assert ("Run now" in screen.text) is offered


async def test_all_jobs_there_are_are_not_offered_to_be_changed_at_once(board: Board):
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/bulk/new")
    assert "Say which jobs are meant" in screen.text
    assert "Do it to all of them" not in screen.text


async def test_a_letter_asked_for_by_hand_is_checked_as_the_api_checks_it(board: Board):
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open(f"/admin/queues/jobs/new?kind={Notification.kind}")).form("Ask for it")
    args = '{"to": "nobody@x.example", "title": "Hi", "body": "", "link": null}'
    screen = await ad.submit(form, args=args)
    assert "to: Nobody with this address is known here." in screen.text


async def test_a_notification_runs_again_to_nobody_whom_the_api_would_refuse(board: Board):
    args = {"to": "ada@example.com", "title": "Hi", "body": "", "link": None}
    job_id = await board.job(JobState.DEAD, kind=Notification.kind, args=args)
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open(f"/admin/queues/jobs/{job_id}/arguments")).form("editing")
    refused = await ad.submit(form, args=orjson.dumps(args | {"to": "nobody@x.example"}).decode())
    assert refused.status == 422
    assert "to: Nobody with this address is known here." in refused.text
    assert await board.written_down() == []
    await ad.submit(form, args=orjson.dumps(args | {"to": "ADMIN@example.com"}).decode())
    job = await board.row(job_id)
    assert (job.state, job.args["to"]) == (JobState.WAITING, "admin@example.com")


async def test_a_job_runs_again_with_other_arguments_which_are_checked(board: Board):
    job_id = await board.job(JobState.DEAD, kind=CreateOrder.kind, args={"draft_id": "nonsense"})
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open(f"/admin/queues/jobs/{job_id}/arguments")
    for typed, words in (
        ("{", "This is no JSON"),
        ("[]", "Write an object"),
        ('{"draft_id": "x"}', "draft_id: "),
        ('{"colour": 1}', "colour: orders.create_order has no such argument."),
    ):
        refused = await ad.submit(screen.form("editing"), args=typed)
        assert refused.status == 422
        assert words in refused.text
        assert refused.form("editing").fields["args"] == typed
    assert (await board.row(job_id)).state is JobState.DEAD
    await ad.submit(screen.form("editing"), args=f'{{"draft_id": "{ID}"}}')
    job = await board.row(job_id)
    assert (job.state, job.args) == (JobState.WAITING, {"draft_id": ID})
    assert await board.written_down() == [("job.edited", f"job/{job_id}")]
    # Who may read arguments reads the former ones; the log that outlives people says only which they were.
    assert await board.details("job.edited") == [{"kind": CreateOrder.kind, "changed": "draft_id"}]
    assert '{"draft_id":"nonsense"}' in (await ad.open(f"/admin/queues/jobs/{job_id}")).text


async def test_a_job_is_copied_and_a_new_one_asked_for_from_its_example(board: Board):
    job_id = await board.job(JobState.COMPLETED, args={})
    ad = await board.browser(Role.ADMIN)
    copy = await ad.submit((await ad.open(f"/admin/queues/jobs/{job_id}")).form("Duplicate"))
    assert "This is the copy." in copy.text
    screen = await ad.open("/admin/queues/jobs/new?kind=orders.create_order")
    assert '"draft_id": "00000000-' in screen.form("asking").fields["args"]
    refused = await ad.submit(screen.form("asking"), priority="12", run_at="2019-03-02T09:30")
    assert "Enter a number from 0 to 9" in refused.text
    assert "within the next 365 days" in refused.text
    at = (now() + timedelta(days=2)).replace(second=0, microsecond=0)
    made = await ad.submit(
        screen.form("asking"), args=f'{{"draft_id": "{ID}"}}', priority="7", run_at=f"{at:%Y-%m-%dT%H:%M}"
    )
    assert made.path.startswith("/admin/queues/jobs/")
    async with board.database.transaction() as session:
        job = (await session.scalars(select(JobRow).where(JobRow.kind == CreateOrder.kind))).one()
    assert (job.args["draft_id"], job.priority, job.is_held) == (ID, 7, True)
    assert (job.state, job.run_at) == (JobState.SCHEDULED, at)
    assert job.asked_by is not None
    assert [action for action, _ in await board.written_down()] == ["job.duplicated", "job.asked"]


async def test_everything_that_matches_is_left_to_a_worker_and_watched(board: Board):
    await board.jobs(3, JobState.DEAD)
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/jobs?q=state:dead")
    screen = await ad.open(screen.link("All that match…"))
    assert (await ad.submit(screen.form("bulk"))).status == 422
    screen = await ad.submit(screen.form("bulk"), deed="retry")
    assert re.fullmatch(r"/admin/queues/bulk/[0-9a-f-]{36}", screen.path)
    async with board.database.transaction() as session:
        row = (await session.scalars(select(BulkRow))).one()
    assert (row.filter, row.deed.value) == ("state:dead", "retry")
    assert "state:dead" in (await ad.open("/admin/queues/bulk")).text
    await ad.submit(screen.form("Stop"))
    async with board.database.transaction() as session:
        stopped = await session.get_one(BulkRow, row.id)
        assert stopped.stopped_at is not None
        stopped.finished_at, stopped.stopped_because = now(), "Its job was cancelled."
    assert "Its job was cancelled." in (await ad.open(screen.path)).text


async def test_a_queue_is_paused_and_goes_on_and_is_held_to_limits(board: Board):
    ad = await board.browser(Role.ADMIN)
    screen = await ad.submit((await ad.open("/admin/queues/default")).form("Pause"))
    assert "Paused" in screen.text
    screen = await ad.submit(screen.form("Go on"))
    refused = await ad.submit(screen.form("limiting"), rate_count="5", max_running="0")
    assert "Enter a number from 1" in refused.text
    half = await ad.submit(screen.form("limiting"), rate_count="5")
    assert "fill in both, or leave" in half.text
    alone = await ad.submit(half.form("limiting"), rate_count="", rate_burst="3")
    # At its field, and in the summary of what is wrong.
    assert alone.text.count("fill in its jobs and seconds, or leave this empty too") == 2
    assert "fill in both, or leave" not in alone.text
    await ad.submit(screen.form("limiting"), rate_count="5", rate_seconds="60", max_running="2")
    async with board.database.transaction() as session:
        row = await session.get_one(QueueRow, "default")
    assert (row.paused_at, row.max_running, row.rate_count, row.rate_seconds) == (None, 2, 5, 60)
    told = [action for action, _ in await board.written_down()]
    assert told == ["queue.paused", "queue.resumed", "queue.limited"]
    assert (await ad.open("/admin/queues/nowhere")).status == 404


async def test_a_queue_is_paused_from_the_overview_which_stays_as_it_was(board: Board):
    await board.job()
    ed, ana = await board.browser(Role.EDITOR), await board.browser(Role.ANALYST)
    screen = await ed.submit((await ed.open("/admin/queues?span=week")).form("/admin/queues/default/pause"))
    assert screen.response.url.raw_path == b"/admin/queues?span=week"
    assert "Nothing of default begins any more." in screen.text
    screen = await ed.submit(screen.form("Go on"))
    assert screen.response.url.raw_path == b"/admin/queues?span=week"
    assert "default goes on." in screen.text
    assert await board.written_down() == [
        ("queue.paused", "queue/default"),
        ("queue.resumed", "queue/default"),
    ]
    assert not [one for one in (await ana.open("/admin/queues")).forms if one.action.endswith("/pause")]


async def test_a_silent_queue_says_so_and_an_editor_ends_the_silence(board: Board):
    job_id = await board.job(JobState.SCHEDULED)
    async with board.database.transaction() as session:
        await silence(session, "default", timedelta(minutes=5), job_id)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/default")
    assert "Silent until" in screen.text
    assert f"/admin/queues/jobs/{job_id}" in screen.response.text
    screen = await ed.submit(screen.form("End the silence"))
    assert "Silent until" not in screen.text
    assert await board.written_down() == [("queue.silence_ended", "queue/default")]


async def test_a_queue_keeps_what_has_finished_for_as_long_as_an_admin_says(board: Board):
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/default")
    assert (await ad.submit(screen.form("keeping"), keep_days="0")).status == 422
    screen = await ad.submit(screen.form("keeping"), keep_days="90")
    assert screen.form("keeping").fields["keep_days"] == "90"
    assert await board.written_down() == [("queue.keeping", "queue/default")]


async def test_of_two_admins_who_change_a_queue_at_once_the_second_hears_of_the_first(board: Board):
    ad = await board.browser(Role.ADMIN)
    one = other = await ad.open("/admin/queues/default")
    await ad.submit(one.form("limiting"), max_running="3")
    refused = await ad.submit(other.form("limiting"), max_running="9")
    assert refused.status == 422
    assert "somebody else has changed this to: 3 at once. Save again to change that." in refused.text
    await ad.submit(refused.form("limiting"))
    await ad.submit(one.form("keeping"), keep_days="30")
    refused = await ad.submit(other.form("keeping"), keep_days="60")
    assert "somebody else has changed this to: 30 days." in refused.text
    assert refused.form("keeping").fields["keep_days"] == "60"
    async with board.database.transaction() as session:
        row = await session.get_one(QueueRow, "default")
    assert (row.max_running, row.keep_days) == (9, 30)
    assert [action for action, _ in await board.written_down()] == ["queue.limited"] * 2 + ["queue.keeping"]


async def test_a_key_is_held_to_a_limit_until_it_is_lifted(board: Board):
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/limits")
    assert (await ad.submit(screen.form("limiting"), key="no key", max_running="1")).status == 422
    screen = await ad.submit(screen.form("limiting"), key="host/*", max_running="1")
    assert "host/*" in screen.text
    async with board.database.transaction() as session:
        assert (await session.get_one(LimitRow, "host/*")).max_running == 1
    unchanged = await ad.submit(screen.form("limiting"), key="host/a.example", seen="9 at once")
    assert "somebody else has changed this to: no limit." in unchanged.text
    assert "host/a.example</span>" not in unchanged.html
    typed_anew = await ad.submit(screen.form("limiting"), key="host/*")
    assert "somebody else has changed this to: 1 at once." in typed_anew.text
    screen = await ad.open("/admin/queues/limits?key=host/*")
    assert screen.form("limiting").fields["max_running"] == "1"
    await ad.submit(screen.form("limiting"), max_running="")
    async with board.database.transaction() as session:
        assert (await session.get_one(LimitRow, "host/*")).max_running is None


async def test_a_schedule_is_made_edited_paused_run_and_removed(board: Board):
    ad = await board.browser(Role.ADMIN)
    screen = await ad.open("/admin/queues/schedules/new")
    wish: dict[str, Any] = {
        "name": "reviews.early",
        "kind": TendReviews.kind,
        "args": "{}",
        "zone": "Europe/Berlin",
    }
    refused = await ad.submit(screen.form("making"), **wish, cron="often")
    assert refused.status == 422
    screen = await ad.submit(screen.form("making"), **wish, cron="30 6 * * 1-5")
    assert "on weekdays at 06:30, Europe/Berlin" in screen.text
    edited = await ad.open("/admin/queues/schedules/reviews.early")
    screen = await ad.submit(edited.form("rhythm"), cron="*/15 * * * *")
    assert "every 15 minutes" in screen.text
    await ad.submit((await ad.open("/admin/queues/schedules/reviews.early")).form("Pause"))
    ran = next(one for one in screen.forms if one.action == "/admin/queues/schedules/reviews.early/run")
    job = await ad.submit(ran)
    assert job.path.startswith("/admin/queues/jobs/")
    await ad.submit(job.form("Cancel"))
    listed = await ad.open("/admin/queues/schedules")
    assert re.search(rf'href="{job.path}">.{{0,400}}Cancelled', listed.html, re.DOTALL)
    async with board.database.transaction() as session:
        assert (await session.get_one(ScheduleRow, "reviews.early")).paused_at is not None
    await ad.submit((await ad.open("/admin/queues/schedules/reviews.early")).form("Remove"))
    assert (await ad.open("/admin/queues/schedules/reviews.early")).status == 404
    told = [action.removeprefix("schedule.") for action, _ in await board.written_down()]
    told.remove("job.cancelled")
    assert told == ["made", "edited", "paused", "run", "removed"]


async def test_a_schedule_of_ones_own_takes_other_arguments_which_are_checked(board: Board):
    async with board.database.transaction() as session:
        await create(
            session,
            (),
            "orders.again",
            kind=CreateOrder.kind,
            args={"draft_id": ID},
            cron="0 6 * * *",
            zone="UTC",
            made_by=new_id(),
        )
    ad = await board.browser(Role.ADMIN)
    screen = stale = await ad.open("/admin/queues/schedules/orders.again")
    refused = await ad.submit(screen.form("rhythm"), args='{"colour": "red"}')
    assert "colour: orders.create_order has no such argument." in refused.text
    other = ID[:-1] + "2"
    await ad.submit(refused.form("rhythm"), args=f'{{"draft_id": "{other}"}}', cron="0 7 * * *")
    async with board.database.transaction() as session:
        row = await session.get_one(ScheduleRow, "orders.again")
    assert (row.args, row.cron) == ({"draft_id": other}, "0 7 * * *")
    (detail,) = await board.details("schedule.edited")
    assert (detail["was"], detail["changed"]) == ("every day at 06:00, UTC", f"draft_id was {ID}")
    assert "Somebody else has changed this schedule" in (await ad.submit(stale.form("rhythm"))).text


async def test_like_errors_stand_together_until_somebody_has_understood_them(board: Board):
    await board.jobs(3, JobState.DEAD, error="The disk of 7 was full.", fingerprint="f00d")
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/errors")
    assert "3 dead, 0 being tried again, of orders.tend_reviews" in screen.text
    screen = await ed.submit(screen.form("It is understood"), note="The disk is larger now.")
    assert "The disk is larger now." in screen.text
    await ed.submit(screen.form("Not understood after all"))
    assert [action for action, _ in await board.written_down()] == ["error.understood", "error.reopened"]


async def test_a_flow_is_drawn_with_who_waits_for_whom_and_paused_and_ended(board: Board):
    steps = {
        "fetch": Step(TendReviews()),
        "left": Step(TendReviews(), after=("fetch",)),
        "right": Step(TendReviews(), after=("fetch",)),
        "join": Step(TendReviews(), after=("left", "right")),
    }
    async with board.database.transaction() as session:
        flow_id = await enqueue_flow(session, "diamond", steps)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/flows/{flow_id}")
    assert screen.html.count('<path d="M') >= 4
    assert re.search(r'aria-label="join: Waiting, after (left and right|right and left)"', screen.html)
    job = await ed.open(screen.link("join"))
    assert 'aria-current="page"' in job.html
    assert "It waits for 2 other jobs of its flow to end." in job.text
    screen = await ed.submit(screen.form("Pause"))
    screen = await ed.submit(screen.form("Cancel the rest"))
    async with board.database.transaction() as session:
        states = set(await session.scalars(select(JobRow.state)))
    assert states == {JobState.CANCELLED}
    told = [action for action, _ in await board.written_down()]
    assert told == ["flow.paused", "flow.cancelled"]
