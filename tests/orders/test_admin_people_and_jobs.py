"""Minding jobs and people."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from models.accounts.states import Role
from models.accounts.tables import AuditEntry, Person
from models.base.db import new_id
from models.base.errors import Conflict, NotFound
from models.jobs.actions import retry
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from tests.orders.desk import Desk, open_desk
from tests.work import run_everything


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


async def the_job(desk: Desk, kind: str = "orders.create_order") -> JobRow:
    async with desk.database.transaction() as session:
        return (await session.scalars(select(JobRow).where(JobRow.kind == kind))).one()


async def change(desk: Desk, statement: str) -> None:
    async with desk.database.transaction() as session:
        await session.execute(text(statement))


KILL = (
    "update jobs set state = 'dead', attempt = 20, error = 'The disk was full.', finished_at = now(),"
    " started_at = now(), worker_id = null where kind = 'orders.create_order'"
)


async def test_a_dead_job_is_seen_and_runs_again_when_somebody_says_so(desk: Desk):
    await change(desk, KILL)
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin/jobs?state=dead")
        assert "orders.create_order" in screen.text
        assert "The disk was full." in screen.text
        assert "20 of 20" in screen.text
        form = next(form for form in screen.forms if form.action.endswith("/retry"))
        screen = await ed.submit(form)
        assert "It waits for a worker again." in screen.text
        job = await the_job(desk)
        assert (job.state, job.attempt, job.max_attempts, job.finished_at) == (JobState.WAITING, 20, 40, None)
        again = await ed.submit(form)
        assert "This job is not dead any more" in again.text
    await run_everything(desk.world)
    assert (await the_job(desk)).state is JobState.COMPLETED
    assert (await desk.order()).number == 1001
    async with desk.database.transaction() as session:
        retried = await session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "job.retried"))
        assert list(retried) == ["editor"]


async def test_a_dead_job_whose_work_another_has_taken_over_is_not_run_beside_it(desk: Desk):
    await change(desk, KILL)
    await change(desk, "update jobs set unique_key = 'one'")
    await change(
        desk,
        "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, unique_key)"
        " values (gen_random_uuid(), 'orders.tend_reviews', 'default', '{}', 5, now(), now(), 3, 'one')",
    )
    with pytest.raises(Conflict):
        async with desk.database.transaction() as session:
            await retry(session, (await the_job(desk)).id)
    assert (await the_job(desk)).state is JobState.DEAD
    with pytest.raises(NotFound):
        async with desk.database.transaction() as session:
            await retry(session, new_id())


async def test_jobs_are_listed_by_state_and_kind_page_by_page(desk: Desk):
    await change(
        desk,
        "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, state)"
        " select gen_random_uuid(), 'orders.tend_reviews', 'default', '{}', 5, now(), now(), 3, 'scheduled'"
        " from generate_series(1, 60)",
    )
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin/jobs?state=scheduled&kind=orders.tend_reviews")
        assert screen.html.count("orders.tend_reviews</a>") == 50
        screen = await ed.open(screen.link("More jobs"))
        assert screen.html.count("orders.tend_reviews</a>") == 10
        assert "orders.create_order</a>" not in screen.html
        assert "No such jobs" in (await ed.open("/admin/jobs?state=dead")).text


async def test_the_page_of_a_job_shows_its_attempts_and_what_its_runner_wrote(desk: Desk):
    await desk.written()
    job = await the_job(desk, "orders.integrate_backlink")
    await change(
        desk,
        "insert into job_attempts (job_id, attempt, outcome, error, traceback)"
        f" values ('{job.id}', 9, 'failed', 'The model was silent.', 'Traceback: <b>here</b>')",
    )
    await change(
        desk,
        "insert into job_logs (job_id, attempt, at, line)"
        f" values ('{job.id}', 1, now(), 'A line of the runner.')",
    )
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open(f"/admin/jobs/{job.id}")
    assert "The model was silent." in screen.text
    assert "<b>here</b>" not in screen.html
    assert "A line of the runner." in screen.text
    assert screen.link("its order") == f"/admin/orders/{(await desk.order()).id}"


async def test_an_admin_gives_another_person_a_role_and_it_is_written_down(desk: Desk):
    owner = desk.shop.people.owner
    async with await desk.browser(desk.admin) as ad, await desk.browser(owner) as ada:
        found = await ad.open("/admin/people?q=owner")
        assert "owner@example.com" in found.text
        assert "stranger@example.com" not in found.text
        screen = await ad.open(f"/admin/people/{owner.id}/role")
        screen = await ad.submit(screen.form("role-form"), role="editor")
        assert "owner@example.com is editor now" in screen.text
        assert (await ada.open("/admin/review")).path == "/sign-in"
    async with await desk.browser(owner) as ada:
        assert (await ada.open("/admin/review")).status == 200
    async with desk.database.transaction() as session:
        entry = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "role.changed"))).one()
    assert (entry.actor_id, entry.detail) == (desk.admin.id, {"before": "customer", "after": "editor"})


async def test_nobody_changes_their_own_role(desk: Desk):
    async with await desk.browser(desk.admin) as ad:
        screen = await ad.open(f"/admin/people/{desk.admin.id}/role")
        assert "You cannot change your own role" in screen.text
        other = await ad.open(f"/admin/people/{desk.shop.people.owner.id}/role")
        token = other.form("role-form").fields["_csrf_token"]
        refused = await ad.send(
            f"/admin/people/{desk.admin.id}/role", "post", {"_csrf_token": token, "role": "customer"}
        )
        assert refused.status == 403
        wrong = await ad.send(
            f"/admin/people/{desk.shop.people.owner.id}/role", "post", {"_csrf_token": token, "role": "king"}
        )
        assert wrong.status == 422
        assert "Choose a role." in wrong.text
    async with desk.database.transaction() as session:
        assert (await session.get_one(Person, desk.admin.id)).role is Role.ADMIN


async def test_giving_a_role_wants_a_recent_sign_in(desk: Desk):
    owner = desk.shop.people.owner
    async with await desk.browser(desk.admin, signed_in=timedelta(minutes=11)) as ad:
        assert (await ad.open("/admin/people")).status == 200
        token = (await ad.open("/account")).forms[0].fields["_csrf_token"]
        fields = {"_csrf_token": token, "role": "admin"}
        assert (await ad.send(f"/admin/people/{owner.id}/role", "post", fields)).path == "/sign-in"
    async with desk.database.transaction() as session:
        assert (await session.get_one(Person, owner.id)).role is Role.CUSTOMER
