"""What the board shows, and to whom."""

import asyncio
import re
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.base.paging import PAGE_SIZE, encode_cursor
from models.jobs import board as glance
from models.jobs import queries
from models.jobs.board import Health
from models.jobs.filter import Filter
from models.jobs.fleet import decided
from models.jobs.flows import enqueue_batch, pause_flow
from models.jobs.held import limits
from models.jobs.limits import Limit, set_limit
from models.jobs.queues import limit_queue, pause
from models.jobs.scaling import Decision
from models.jobs.schedules import create
from models.jobs.states import JobState
from models.jobs.tables import AttemptRow, FlowRow, JobRow, LogRow, WorkerRow
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from tests.orders.selling import counting
from web.live import EventHub

LEASE = timedelta(seconds=8)
SECRET = "the-argument-of-somebody"
#: Jobs that are younger than any other.
MANY = text(
    "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, state)"
    " select ('ffffffff-ffff-7fff-8fff-' || lpad(to_hex(number), 12, '0'))::uuid, 'orders.tend_reviews', 'default', '{}',"
    " 5, now(), now(), 3, 'scheduled' from generate_series(1, :count) number"
)


async def worker(board: Board, slots: int = 2) -> None:
    row = {"id": new_id(), "host": "galley-1", "pid": 7, "queues": {"default": slots}, "running": 0}
    async with board.database.transaction() as session:
        await session.execute(insert(WorkerRow), [row])


async def health(board: Board, name: str = "default") -> Health:
    async with board.database.transaction() as session:
        return next(one for one in await glance.queues(session, LEASE) if one.name == name).health


async def test_a_queue_is_told_by_the_first_thing_that_is_wrong_with_it(board: Board):
    assert await health(board) is Health.WELL
    waiting = await board.job()
    assert await health(board) is Health.NO_WORKER
    await worker(board)
    assert await health(board) is Health.WELL
    await board.job(JobState.ACTIVE)
    async with board.database.transaction() as session:
        await limit_queue(session, "default", Limit(max_running=1))
    assert await health(board) is Health.FULL
    async with board.database.transaction() as session:
        late = now() - timedelta(minutes=6)
        await session.execute(update(JobRow).where(JobRow.id == waiting).values(run_at=late))
    assert await health(board) is Health.SLOW
    async with board.database.transaction() as session:
        await pause(session, "default")
    assert await health(board) is Health.PAUSED


async def test_a_queue_that_only_a_job_names_is_shown_and_what_is_held_back_is_told_apart(board: Board):
    await board.jobs(3, queue="forgotten")
    await board.jobs(2, queue="forgotten", limit_key="host/example.com", blocked_by="limit/host/example.com")
    async with board.database.transaction() as session:
        await set_limit(session, "host/*", Limit(max_running=1))
        found = next(one for one in await glance.queues(session, LEASE) if one.name == "forgotten")
        (limit,) = (await limits(session)).items
        numbers = await glance.counts(session)
    assert (found.waiting, found.held, found.health) == (3, 2, Health.NO_WORKER)
    assert (limit.key, limit.waiting, limit.running) == ("host/*", 2, 0)
    assert numbers[JobState.WAITING] == 5


@pytest.mark.parametrize(("counted", "told"), [(5, "and 2 held back"), (1, "and at least 2 held back")])
async def test_what_is_held_back_is_counted_so_far_and_says_so(
    board: Board, monkeypatch: pytest.MonkeyPatch, counted: int, told: str
):
    monkeypatch.setattr(glance, "MOST_COUNTED", counted)
    await board.jobs(2, limit_key="host/example.com", blocked_by="limit/host/example.com")
    ann = await board.browser(Role.ANALYST)
    overview, queue = [(await ann.open(f"/admin/queues{path}")).text for path in ("", "/default")]
    # Of all queues, and of the one.
    assert (overview.count(told), queue.count(told)) == (2, 1)
    assert (overview.count("all held"), queue.count("all held")) == (2, 1)


async def test_living_workers_are_told_before_silent_ones(board: Board):
    async with board.database.transaction() as session:
        for host, silent_for, age in (("ada", 600, 900), ("bob", 0, 60), ("cy", 0, 30)):
            times = {"beat_at": now() - timedelta(seconds=silent_for)}
            session.add(
                WorkerRow(host=host, pid=7, queues={}, started_at=now() - timedelta(seconds=age), **times)
            )
        await session.flush()
        found = await glance.workers(session, LEASE)
    assert [one.row.host for one in found] == ["bob", "cy", "ada"]


@pytest.mark.slow
async def test_a_search_that_no_index_knows_goes_on_stretch_by_stretch(board: Board):
    wanted = await board.job(args={"place": "needle"})
    async with board.database.transaction() as session:
        await session.execute(MANY, {"count": 2 * queries.STRETCH + 10})
    async with board.database.transaction() as session:
        seen, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            page = await queries.jobs(session, Filter.read("args.place:needle"), cursor=cursor)
            seen += [one.id for one in page.items]
            cursor, pages = page.next_cursor, pages + 1
        patient = await queries.jobs(session, Filter.read("needle"), patience=timedelta(minutes=1))
        oldest = await queries.jobs(session, Filter.read("needle"), sort=queries.Sort.OLDEST)
        waiting = await queries.counted(session, Filter.read("kind:orders.tend_reviews"), 100_000)
        scheduled = await queries.counted(session, Filter.read("state:scheduled"), glance.MOST_COUNTED)
        found = await queries.counted(session, Filter.read("needle"), 1, timedelta(minutes=1))
        numbers = await glance.counts(session)
    assert (seen, pages) == ([wanted], 3)
    assert [one.id for one in patient.items] == [one.id for one in oldest.items] == [wanted]
    assert patient.next_cursor is None
    assert waiting == (queries.STRETCH, False)
    assert scheduled == (glance.MOST_COUNTED, False)
    assert found == (1, True)
    assert numbers[JobState.SCHEDULED] == glance.MOST_COUNTED + 1


async def test_the_first_page_tells_of_queues_workers_and_what_they_run(board: Board):
    await worker(board)
    await board.jobs(2, JobState.DEAD)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues")
    assert "galley-1" in screen.text
    assert screen.link("Dead") == "/admin/queues/jobs?q=state:dead"
    assert screen.link("default") == "/admin/queues/default"
    async with counting(board.database) as few:
        await ed.open("/admin/queues")
    await board.jobs(30, JobState.ACTIVE)
    async with counting(board.database) as many:
        await ed.open("/admin/queues")
    assert len(many) == len(few)


async def test_jobs_are_found_by_state_and_qualifiers_page_by_page(board: Board):
    oldest = (await board.jobs(PAGE_SIZE + 10, JobState.SCHEDULED))[0]
    await board.job(JobState.DEAD, kind="orders.create_order", error="The disk was full.")
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/jobs?q=state:scheduled")
    assert screen.html.count("orders.tend_reviews</a>") == PAGE_SIZE
    assert screen.html.count("<option") > 10
    screen = await ed.open(screen.link("More jobs"))
    assert screen.html.count("orders.tend_reviews</a>") == 10
    # Also from behind the end, where nothing is left meanwhile.
    screen = await ed.open(f"/admin/queues/jobs?q=state:scheduled&cursor={encode_cursor(oldest)}")
    assert screen.link("Back to the beginning") == "/admin/queues/jobs?q=state%3Ascheduled"
    found = await ed.open("/admin/queues/jobs?q=error:disk+kind:orders.create_order")
    assert "The disk was full." in found.text
    assert "No such jobs" in (await ed.open("/admin/queues/jobs?q=state:cancelled")).text
    refused = await ed.open("/admin/queues/jobs?q=colour:red")
    assert refused.status == 422
    assert "is not known" in refused.text


async def test_jobs_of_one_kind_are_told_apart_by_the_ends_of_their_ids(board: Board):
    ids = await board.jobs(3)
    ed = await board.browser(Role.EDITOR)
    html = (await ed.open("/admin/queues/jobs")).html
    for short in (f"…{str(one)[-8:]}" for one in ids):
        assert f'<span class="mono">{short}</span>' in html
        # So does who ticks a box without seeing the row.
        assert f'aria-label="orders.tend_reviews {short}, asked' in html


async def test_jobs_are_sorted_by_how_long_they_took_over_pages(board: Board):
    at = now()
    ids = []
    for seconds in range(60):
        began = at - timedelta(seconds=(seconds * 7) % 60 + 1)
        ids += await board.jobs(1, JobState.COMPLETED, started_at=began, finished_at=at)
    await board.jobs(3)
    async with board.database.transaction() as session:
        seen: list[JobRow] = []
        cursor = None
        while not seen or cursor is not None:
            page = await queries.jobs(session, Filter(), sort=queries.Sort.LONGEST, cursor=cursor)
            seen += page.items
            cursor = page.next_cursor
    assert sorted(one.id for one in seen) == ids
    spans = [at - one.started_at for one in seen if one.started_at]
    assert spans == sorted(spans, reverse=True)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open((await ed.open("/admin/queues/jobs")).link("Took"))
    assert "took or have run longest" in screen.text
    assert "sort=longest&cursor=" in screen.link("More jobs")


async def test_the_page_of_a_job_tells_what_went_wrong_and_what_it_wrote(board: Board):
    order = new_id()
    job_id = await board.job(
        JobState.DEAD,
        args={"order_id": SECRET},
        subject=f"order/{order}",
        attempt=3,
        error="The model was silent.",
    )
    async with board.database.transaction() as session:
        attempt = {"job_id": job_id, "attempt": 2, "outcome": "failed", "traceback": "Traceback: <b>here</b>"}
        await session.execute(insert(AttemptRow), [attempt])
        await session.execute(
            insert(LogRow), [{"job_id": job_id, "attempt": 1, "at": now(), "line": "A line of the runner."}]
        )
    screen = await (await board.browser(Role.EDITOR)).open(f"/admin/queues/jobs/{job_id}")
    for words in ("The model was silent.", "A line of the runner.", SECRET, "Attempt 2: failed", "Given up"):
        assert words in screen.text
    assert "<b>here</b>" not in screen.html
    assert screen.link("its order") == f"/admin/orders/{order}"


async def test_flows_are_found_by_how_they_do_page_by_page(board: Board):
    async with board.database.transaction() as session:
        for _ in range(PAGE_SIZE + 1):
            await enqueue_batch(session, "letters", [TendReviews(), TendReviews()])
        sad = await enqueue_batch(session, "import", [TendReviews()])
        await session.execute(update(FlowRow).where(FlowRow.id == sad).values(failed=1, finished_at=now()))
        done = await enqueue_batch(session, "export", [TendReviews()])
        await session.execute(update(FlowRow).where(FlowRow.id == done).values(done=1, finished_at=now()))
        await pause_flow(session, await enqueue_batch(session, "held", [TendReviews()]))
    ana = await board.browser(Role.ANALYST)
    screen = await ana.open((await ana.open("/admin/queues")).link("Flows"))
    assert screen.html.count("letters</a>") == PAGE_SIZE - 3
    assert (await ana.open(screen.link("More flows"))).html.count("letters</a>") == 4
    for words, name in (("With failures", "import"), ("Done", "export"), ("Paused", "held")):
        found = await ana.open(screen.link(words))
        assert re.findall(r'flows/[0-9a-f-]{36}">(\w+)', found.html) == [name]
    assert "1 of 1" in (await ana.open(screen.link("With failures"))).text


async def test_a_job_of_a_kind_that_nobody_knows_says_so(board: Board):
    job_id = await board.job(JobState.SCHEDULED, kind="orders.of_tomorrow")
    screen = await (await board.browser(Role.EDITOR)).open(f"/admin/queues/jobs/{job_id}")
    assert "No release that runs here knows the kind orders.of_tomorrow" in screen.text


async def test_a_waiting_job_says_why_it_waits(board: Board):
    job_id = await board.job()
    screen = await (await board.browser(Role.EDITOR)).open(f"/admin/queues/jobs/{job_id}")
    assert "No living worker serves the queue default." in screen.text


async def test_an_analyst_sees_how_things_go_and_nothing_that_jobs_carry(board: Board):
    told = {"args": {"token": SECRET}, "error": SECRET, "words": SECRET, "result": {"token": SECRET}}
    job_id = await board.job(JobState.DEAD, fingerprint="f00d", **told)
    await board.job(JobState.ACTIVE, started_at=now(), **told)
    ana = await board.browser(Role.ANALYST)
    for path in ("", "/jobs", "/errors", "/workers", "/default", f"/jobs/{job_id}"):
        screen = await ana.open(f"/admin/queues{path}")
        assert screen.status == 200, path
        assert SECRET not in screen.html, path
        assert [form.action for form in screen.forms if form.action.startswith("/admin")] in (
            [],
            ["/admin/queues/jobs"],
        ), path
    # Nor can it be guessed by searching.
    for line in (f"args.token:{SECRET}", f"error:{SECRET}", SECRET):
        guess = await ana.open(f"/admin/queues/jobs?q={line}")
        assert (guess.status, guess.html.count("orders.tend_reviews</a>")) == (422, 0), line
        assert "You can search by state:, kind:, queue:" in guess.text
    allowed = await ana.open("/admin/queues/jobs?q=state:dead+kind:orders.tend_reviews+since:1h")
    assert allowed.html.count("orders.tend_reviews</a>") == 1
    token = next(one.fields["_csrf_token"] for one in (await ana.open("/account")).forms if one.fields)
    refused = await ana.send(f"/admin/queues/jobs/{job_id}/retry", "post", {"_csrf_token": token})
    assert refused.status == 404
    assert (await board.row(job_id)).state is JobState.DEAD


async def test_the_board_looks_again_although_nothing_tells_it_to(board: Board):
    ed = await board.browser(Role.EDITOR)
    assert 'hx-sse:connect="/admin/queues/events"' in (await ed.open("/admin/queues")).html
    hub: EventHub = board.site.app.state.hub
    async with aclosing(hub.changes(every=0.01)) as changes, asyncio.timeout(5):
        for _ in range(3):
            await anext(changes)


async def test_the_page_of_workers_says_how_many_are_wanted_and_why(board: Board):
    why = "9 wait and 3 run in orders, 4 to a worker"
    decision = Decision("worker-orders", 9, 3, timedelta(seconds=75), present=1, wanted=3, why=why)
    async with board.database.transaction() as session:
        await decided(session, decision)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open("/admin/queues/workers")
    for told in ("worker-orders", why, "1 min 15 s"):
        assert told in screen.text


async def test_schedules_are_shown_a_page_at_a_time(board: Board):
    names = [f"zoo.tend_{number:02}" for number in range(30)]
    rhythm: dict[str, Any] = {"cron": "0 6 * * *", "zone": "UTC", "made_by": new_id()}
    async with board.database.transaction() as session:
        for name in names:
            await create(session, (), name, kind=TendReviews.kind, args={}, **rhythm)
    ann = await board.browser(Role.ANALYST)
    screen = await ann.open("/admin/queues/schedules")
    seen = screen.text
    assert names[-1] not in seen
    assert "mail.settle" in seen
    while further := screen.links.get("More schedules"):
        screen = await ann.open(further)
        seen += screen.text
    assert [seen.count(name) for name in names] == [1] * 30
    assert "mail.settle" in (await ann.open(screen.links["Back to the beginning"])).text
