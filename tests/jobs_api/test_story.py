"""The job API from end to end: ask, follow, look back; and what is refused, and how."""

import asyncio
from datetime import datetime, timedelta

import httpx2
import orjson
import pytest
from sqlalchemy import delete, func, select, text, update

from models.accounts.audit import history_of
from models.accounts.states import Role, Scope
from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.base.db import new_id
from models.exports.jobs import Report
from models.jobs.actions import complete
from models.jobs.gates import admit
from models.jobs.limits import Limit, set_limit
from models.jobs.progress import Progress, publish
from models.jobs.states import JobState
from models.jobs.store import Fence, Store
from models.jobs.tables import JobRow
from models.jobs.waiting import why_waiting
from models.mail.tables import EmailMessage
from models.notices.jobs import Notification
from models.notices.tables import Notice
from tasks.world import World
from tests.jobs_api.programs import Bureau
from tests.web.site import Site
from tests.web.test_live import Stream
from web.limits import Rate


async def test_a_program_asks_for_a_letter_to_its_owner_and_sees_it_sent(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    job_id = await ada.ask("email", to="Ada@example.com", subject="Backup done", body="**All** is well.")
    before = await ada.get(f"/jobs/{job_id}")
    assert (before["status"], before["attempts"], before["result"]) == ("pending", 0, None)
    assert before["data"] == {"to": "ada@example.com", "subject": "Backup done", "body": "**All** is well."}

    await bureau.work()

    after = await ada.get(f"/jobs/{job_id}")
    assert (after["status"], after["result"], after["error"]) == ("completed", {"state": "sent"}, None)
    assert after["finishedAt"] > after["createdAt"]
    async with bureau.world.database.transaction() as session:
        letter = (await session.scalars(select(EmailMessage))).one()
        mime = bureau.world.keys.unseal(letter.sealed_mime or b"").decode()
    assert (letter.to_address, letter.subject) == ("ada@example.com", "Backup done")
    assert "<strong>All</strong> is well." in mime
    assert "List-Unsubscribe-Post" in mime


async def test_a_notification_is_in_the_inbox_of_whom_it_is_for(bureau: Bureau):
    ada, editor = await bureau.program("ada@example.com"), await bureau.program("ed@example.com", Role.EDITOR)
    await ada.ask("notification", title="For me")
    await editor.ask("notification", title="For Ada", body="Look.", link="/orders", to="ada@example.com")
    await bureau.work()
    async with bureau.world.database.transaction() as session:
        found = (await session.scalars(select(Notice).order_by(Notice.id))).all()
    assert {(one.person_id, one.title, one.link) for one in found} == {
        (ada.person.id, "For me", None),
        (ada.person.id, "For Ada", "/orders"),
    }


async def test_a_job_is_nobodys_business_but_its_askers(bureau: Bureau):
    ada, eve = await bureau.program("ada@example.com"), await bureau.program("eve@example.com", Role.ADMIN)
    job_id = await ada.ask("notification", title="Mine")
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/events"):
        await eve.get(path, 404)
    for deed in ("retry", "cancel"):
        await eve.post(f"/jobs/{job_id}/{deed}", status=404)
    assert (await eve.get("/results"))["results"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "fax", "data": {}}, "type"),
        ({"type": "email"}, "data"),
        ({"type": "notification", "data": {"title": "a\x00b"}}, "data.title"),
        ({"type": "email", "data": {"to": "ada@example.com", "subject": "Hi"}}, "data.body"),
        ({"type": "email", "data": {"to": "ada@example.com", "subject": "Hi", "body": " \n"}}, "data.body"),
        ({"type": "notification", "data": {"title": "\u200b\u3164\ufeff \u2060\u00ad"}}, "data.title"),
        ({"type": "email", "data": {"to": "eve@example.com", "subject": "Hi", "body": "."}}, "data.to"),
        ({"type": "email", "data": {"to": "a@x.com, b@x.com", "subject": "Hi", "body": "."}}, "data.to"),
        ({"type": "notification", "data": {"title": "Hi", "link": "//evil.example"}}, "data.link"),
        ({"type": "notification", "data": {"title": "Hi", "link": "/\t/evil.example"}}, "data.link"),
        ({"type": "notification", "data": {"title": "Hi", "to": "nobody@example.com"}}, "data.to"),
        ({"type": "report", "data": {"dataSet": "revenue"}}, "data.dataSet"),
        ({"type": "report", "data": {"dataSet": "my-orders", "format": "doc"}}, "data.format"),
        ({"type": "notification", "data": {"title": "Hi"}, "priority": 10}, "priority"),
        ({"type": "notification", "data": {"title": "Hi"}, "priority": 5.5}, "priority"),
        ({"type": "notification", "data": {"title": "Hi"}, "runAt": "2026-03-02T09:30:00"}, "runAt"),
        ({"type": "notification", "data": {"title": "Hi"}, "runAt": "2999-03-02T09:30:00Z"}, "runAt"),
    ],
)
async def test_a_refusal_names_the_field(bureau: Bureau, body: dict[str, object], field: str):
    ada = await bureau.program("ada@example.com")
    problem = await ada.post("/jobs", body, 422)
    assert list(problem["fields"]) == [field]
    async with bureau.world.database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(JobRow)) == 0


async def test_a_whole_number_may_be_written_with_a_point(bureau: Bureau):
    """It is an integer to JSON Schema."""
    ada = await bureau.program("ada@example.com")
    made = await ada.post("/jobs", {"type": "notification", "data": {"title": "Hi"}, "priority": 2.0}, 201)
    assert (await ada.get(f"/jobs/{made['id']}"))["priority"] == 2


async def test_all_that_is_wrong_is_told_at_once_with_what_to_send_instead(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    letter = {"to": "eve@example.com", "subject": "", "Body": "."}
    wrong = {"type": "email", "data": letter, "priority": "high", "runAt": "2999-03-02T09:30:00Z", "key": "1"}
    assert (await ada.post("/jobs", wrong, 422))["fields"] == {
        "key": "There is no such field. There are: type, data, priority, runAt, idempotencyKey.",
        "priority": "Send a whole number from 0 to 9.",
        "runAt": "A job can be put off by 365 days at most.",
        "data.to": "You can have this sent to yourself alone, ada@example.com.",
        "data.subject": "Send a text of 1 to 200 characters, and not of blanks alone.",
        "data.Body": "There is no such field. There are: to, subject, body.",
        "data.body": "This is missing. Send a text of 1 to 20,000 characters, and not of blanks alone.",
    }
    wrong = {"type": "notification", "data": {"title": "Hi", "link": "no path", "to": "nobody@example.com"}}
    assert set((await ada.post("/jobs", wrong, 422))["fields"]) == {"data.link", "data.to"}
    types = "Send one of these: email, notification, report."
    assert (await ada.post("/jobs", {"type": "fax", "data": []}, 422))["fields"] == {
        "type": types,
        "data": "Send an object.",
    }
    assert (await ada.post("/jobs", {}, 422))["fields"]["type"] == f"This is missing. {types}"
    assert (await ada.post("/jobs", [], 422))["fields"] == {"body": "Send a JSON object: { … }."}


async def test_a_query_that_is_not_understood_is_refused_and_not_answered_with_everything(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    problem = await ada.get("/results?stauts=failed&status=done&jobType=null&limit=1&limit=2&offset=no", 422)
    assert problem["fields"] == {
        "stauts": "There is no such field. There are: status, jobType, limit, offset, cursor.",
        "status": "Send one of these: cancelled, completed, failed, pending, processing.",
        "jobType": "Send one of these: email, notification, report.",
        "limit": "Give this once.",
        "offset": "Send a whole number from 0 to 10,000.",
    }
    boss = await bureau.program("boss@example.com", Role.ADMIN, (Scope.ADMIN_READ,))
    assert set((await boss.get("/v1/admin/orders?stauts=FAILED&payment=no", 422))["fields"]) == {
        "stauts",
        "payment",
    }


async def test_every_answer_says_how_many_requests_are_left(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    body = {"type": "notification", "data": {"title": "Hi"}}
    made = [await ada.client.post("/api/jobs", json=one) for one in (body, {}, body)]
    job = f"/api/jobs/{made[0].json()['id']}"
    await ada.post(f"/jobs/{job.rpartition('/')[2]}/cancel")
    read = [await ada.client.get(path) for path in (job, f"{job}/events", f"/api/jobs/{new_id()}")]
    read.append(await ada.client.head("/api/results"))
    hasty = await bureau.program("hasty@example.com")
    await bureau.exhaust(hasty)
    refused = await hasty.client.get(job)

    def standing(answer: httpx2.Response) -> tuple[int, ...]:
        return tuple(int(answer.headers[f"ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))

    assert [one.status_code for one in (*made, *read, refused)] == [201, 422, 201, 200, 200, 404, 200, 429]
    assert standing(made[0]) == (60, 59, 1)
    # They come back one by one meanwhile.
    assert all(one[0] == 60 and 57 <= one[1] <= 59 and 1 <= one[2] <= 3 for one in map(standing, made[1:]))
    assert all(one[0] == 600 and 596 <= one[1] <= 599 and one[2] == 1 for one in map(standing, read))
    assert standing(refused)[:2] == (600, 0)
    assert 60 < standing(refused)[2] <= 120


async def test_a_request_with_a_key_is_done_once_and_its_key_is_no_other_requests(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    body = {"type": "notification", "data": {"title": "Once"}, "idempotencyKey": "backup-17"}
    answers = await asyncio.gather(*(ada.client.post("/api/jobs", json=body) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 200, 201]
    assert len({one.json()["id"] for one in answers}) == 1

    problem = await ada.post("/jobs", body | {"priority": 1}, 422)
    assert list(problem["fields"]) == ["idempotencyKey"]
    # Another person's key of the same name is another key, and a day later it is free.
    eve = await bureau.program("eve@example.com")
    await eve.post("/jobs", body, 201)
    async with bureau.world.database.transaction() as session:
        await session.execute(
            text("update accounts_idempotency_keys set created_at = now() - interval '25 hours'")
        )
    await ada.post("/jobs", body, 201)


async def test_a_key_whose_job_is_gone_says_so_and_what_was_done_once_is_written_down_once(bureau: Bureau):
    editor = await bureau.program("ed@example.com", Role.EDITOR)
    letter = {"to": "ada@example.com", "subject": "Hi", "body": "."}
    body = {"type": "email", "data": letter, "idempotencyKey": "hello-1"}
    made = await editor.client.post("/api/jobs", json=body)
    assert made.headers["location"] == f"/api/jobs/{made.json()['id']}"
    await editor.post("/jobs", body, 200)
    async with bureau.world.database.transaction() as session:
        written = await session.scalars(select(AuditEntry.action).where(AuditEntry.action == "letter.asked"))
        assert written.all() == ["letter.asked"]
        await session.execute(delete(JobRow))
    assert "idempotencyKey" in (await editor.post("/jobs", body, 410))["detail"]


async def test_a_moment_that_has_passed_however_long_ago_is_now_and_goes_before_nobody(bureau: Bureau):
    ada, run_at = await bureau.program("ada@example.com"), "0001-01-01T00:00:00+14:00"
    first = await ada.ask("notification", title="First")
    late = await ada.post("/jobs", {"type": "notification", "data": {"title": "Hi"}, "runAt": run_at}, 201)
    async with bureau.world.database.transaction() as session:
        line = (await session.scalars(select(JobRow).order_by(JobRow.rank_at, JobRow.id))).all()
    assert [str(one.id) for one in line] == [first, late["id"]]


async def test_a_job_for_later_is_cancelled_and_tried_again(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    later = {
        "type": "notification",
        "data": {"title": "Later"},
        "runAt": (now() + timedelta(days=1)).isoformat(),
    }
    job_id = (await ada.post("/jobs", later, 201))["id"]
    refused = await ada.post(f"/jobs/{job_id}/retry", status=409)
    assert refused["detail"].startswith(
        "This job is pending. One that failed or was cancelled can run again."
    )
    assert (await ada.post(f"/jobs/{job_id}/cancel"))["status"] == "cancelled"
    await ada.post(f"/jobs/{job_id}/cancel", status=409)
    assert (await ada.post(f"/jobs/{job_id}/retry"))["status"] == "pending"
    await bureau.work()
    assert (await ada.get(f"/jobs/{job_id}"))["status"] == "pending"
    async with bureau.world.database.transaction() as session:
        written = await history_of(session, f"job/{job_id}")
    done = ["job.retried", "job.cancelled"]
    assert [(one.action, one.actor_id, one.detail["by"]) for one in written] == [
        (action, ada.person.id, "api") for action in done
    ]


async def test_results_are_found_by_status_type_and_place(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    ids = [await ada.ask("notification", title=f"Number {number}") for number in range(3)]
    await bureau.work()
    late = await ada.ask("email", to="ada@example.com", subject="Hi", body=".")

    async def found(query: str) -> list[str]:
        return [one["id"] for one in (await ada.get(f"/results?{query}"))["results"]]

    assert await found("") == [late, *reversed(ids)]
    assert await found("status=completed") == ids[::-1]
    assert await found("jobType=email&status=pending") == [late]
    assert await found("limit=2&offset=1") == [ids[2], ids[1]]
    first = await ada.get("/results?limit=3")
    assert await found(f"limit=3&cursor={first['nextCursor']}") == [ids[0]]
    for query, field in (("status=done", "status"), ("limit=0", "limit"), ("cursor=x", "cursor")):
        assert field in (await ada.get(f"/results?{query}", 422))["fields"]


async def test_a_limit_on_people_lets_each_have_one_job_at_once_and_the_next_says_why_it_waits(
    bureau: Bureau,
):
    ada, eve = await bureau.program("ada@example.com"), await bureau.program("eve@example.com")
    for one in (ada, ada, eve):
        await one.ask("report", dataSet="my-orders")
    store = Store(bureau.world.settings.database.url, new_id(), "a worker of the tests")
    async with bureau.world.database.transaction() as session:
        await set_limit(session, "person/*", Limit(max_running=1))
    passed = await admit(store, await store.claim({Report.queue: 3}))
    await store.close()
    async with bureau.world.database.transaction() as session:
        jobs = (await session.scalars(select(JobRow).order_by(JobRow.id))).all()
        (waiting,) = [one for one in jobs if one.state is JobState.WAITING]
        reasons = await why_waiting(session, waiting, timedelta(seconds=8))
    assert {one.limit_key for one in passed.claims} == {f"person/{one.person.id}" for one in (ada, eve)}
    assert waiting.asked_by == ada.person.id
    assert reasons[0].words == f"1 of at most 1 job of person/{ada.person.id} is running."


async def test_a_job_that_is_processed_says_when_it_will_be_done(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    job_id = await ada.ask("report", dataSet="my-orders")
    assert (await ada.get(f"/jobs/{job_id}"))["eta"] is None
    half = {"state": "active", "started_at": now() - timedelta(minutes=5), "done": 50, "total": 100}
    async with bureau.world.database.transaction() as session:
        await session.execute(update(JobRow).values(half))
    eta = datetime.fromisoformat((await ada.get(f"/jobs/{job_id}"))["eta"])
    assert timedelta(minutes=4) < eta - now() < timedelta(minutes=6)


async def test_events_tell_a_job_until_its_end(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    job_id = await ada.ask("notification", title="Followed")
    await bureau.work()
    answer = await ada.client.get(f"/api/jobs/{job_id}/events")
    lines = [line for line in answer.text.splitlines() if line]
    assert orjson.loads(lines[1].removeprefix("data: "))["status"] == "completed"
    assert lines[2] == "event: done"


async def test_a_stream_that_is_open_tells_the_beginning_progress_and_the_end_in_order(
    world: World, storefront: Site
):
    ada = await Bureau(world, storefront).program("ada@example.com")
    job_id = await ada.ask("notification", title="Followed")
    store = Store(world.settings.database.url, new_id(), "a worker of the tests")
    async with ada.client.stream("GET", f"/api/jobs/{job_id}/events") as response:
        stream = Stream(response)
        told = [orjson.loads(await stream.whole())]
        (claim,) = (await admit(store, await store.claim({Notification.queue: 1}))).claims
        for done in (3, 7):
            seen = Progress(claim.id, claim.attempt, claim.max_attempts, done, 10)
            await publish(world.redis, [(seen, None)])
            told.append(orjson.loads(await stream.whole()))
        async with world.database.transaction() as session:
            await complete(session, Fence(claim.id, claim.attempt, store.worker_id), {"state": "told"})
        told.append(orjson.loads(await stream.whole()))
        assert (await stream.event())["event"] == "done"
    await store.close()
    assert [(one["status"], one["progress"]["done"]) for one in told] == [
        ("pending", None),
        ("processing", 3),
        ("processing", 7),
        ("completed", None),
    ]
    assert told[2]["eta"] is not None
    assert told[3]["result"] == {"state": "told"}


async def test_results_of_all_kinds_and_states_are_the_latest_in_one_order(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    ids = []
    for number in range(6):
        kind = {"dataSet": "my-orders"} if number % 2 else {"title": "Hi"}
        ids.append(await ada.ask("report" if number % 2 else "notification", **kind))
        if number in {1, 2}:
            await ada.post(f"/jobs/{ids[-1]}/cancel")
    first = await ada.get("/results?limit=2&offset=1")
    assert [one["id"] for one in first["results"]] == [ids[4], ids[3]]
    rest = await ada.get(f"/results?limit=100&cursor={first['nextCursor']}")
    assert ([one["id"] for one in rest["results"]], rest["nextCursor"]) == ([ids[2], ids[1], ids[0]], None)
    cancelled = await ada.get("/results?status=cancelled&jobType=report")
    assert [one["id"] for one in cancelled["results"]] == [ids[1]]


async def test_stats_count_ones_own_jobs_and_show_queues_to_editors_only(bureau: Bureau):
    ada, editor = await bureau.program("ada@example.com"), await bureau.program("ed@example.com", Role.EDITOR)
    await ada.ask("notification", title="One")
    stats = await ada.get("/queue/stats")
    assert stats == {"jobs": {"pending": 1, "processing": 0, "completed": 0, "failed": 0, "cancelled": 0}}
    queues = {one["name"]: one for one in (await editor.get("/queue/stats"))["queues"]}
    assert queues["default"]["waiting"] == 1
    assert queues["default"]["isPaused"] is False


async def test_a_token_needs_the_scope_and_has_a_rate(bureau: Bureau):
    reader = await bureau.program("ada@example.com", scopes=(Scope.JOBS_READ,))
    body = {"type": "notification", "data": {"title": "Hi"}}
    assert "jobs:write" in (await reader.post("/jobs", body, 403))["detail"]
    writer = await bureau.program("eve@example.com")
    limiter = bureau.site.app.state.limiter
    for _ in range(60):
        await limiter.take("jobs-write", str(writer.person.id), Rate(60, timedelta(minutes=1)))
    answer = await writer.client.post("/api/jobs", json=body)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert "Wait 1 second and" in answer.json()["detail"]
