"""How the jobs went by the minute, and what is worth a letter."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Job, Wish, enqueue_all
from models.jobs.actions import rescue
from models.jobs.alerts import TOLD_FOR, Thresholds, alerts, watch
from models.jobs.board_tables import AlertRow, KindHourRow, KindMinuteRow, MetricRow, MetricStepRow
from models.jobs.metrics import KEPT, TIMES, Span, history, history_of_kinds, percentile, roll_up
from models.jobs.states import AlertKind, JobState
from models.jobs.store import Store
from models.jobs.tables import JobRow, QueueRow, WorkerRow
from models.mail.tables import EmailMessage
from tasks.testing import run_everything
from tasks.world import World

AT = datetime(2026, 5, 5, 12, 34, 30, tzinfo=UTC)
LIMITS = Thresholds(waiting=9, oldest=timedelta(minutes=5), dead=2, lease=timedelta(seconds=8))


class Spin(Job, frozen=True):
    kind: ClassVar[str] = "test.spin"
    queue: ClassVar[str] = "wool"


class Unravel(Spin, frozen=True):
    kind: ClassVar[str] = "test.unravel"


async def finish(
    database: Database, count: int, *, ago: timedelta, wait: float, run: float, state: str = "completed"
) -> None:
    """So many jobs that ended `ago` before `AT`."""
    async with database.transaction() as session:
        ids = await enqueue_all(session, [Wish(Spin()) for _ in range(count)])
        await session.execute(
            text(
                "update jobs set state = :state, finished_at = :at, started_at = :started, run_at = :run_at,"
                " created_at = :run_at where id = any(:ids)"
            ),
            {
                "state": state,
                "at": AT - ago,
                "started": AT - ago - timedelta(seconds=run),
                "run_at": AT - ago - timedelta(seconds=run + wait),
                "ids": ids,
            },
        )


async def roll(database: Database, at: datetime = AT) -> None:
    async with database.transaction() as session:
        await roll_up(session, at)


async def test_minutes_count_each_job_once_however_often_they_are_written(database: Database) -> None:
    await finish(database, 90, ago=timedelta(), wait=0.015, run=0.7)
    await finish(database, 10, ago=timedelta(seconds=20), wait=4, run=15)
    await finish(database, 2, ago=timedelta(minutes=1), wait=1, run=1, state="dead")
    await asyncio.gather(roll(database), roll(database))
    await finish(database, 5, ago=timedelta(seconds=10), wait=0.015, run=0.7)
    await roll(database, AT + timedelta(minutes=1))
    async with database.transaction() as session:
        points = await history(session, Span.HOUR, queue="wool", at=AT)
        assert (await history(session, Span.HOUR, queue="silk", at=AT))[-1].completed == 0
    assert len(points) == 60
    assert points[-1].at == datetime(2026, 5, 5, 12, 34, tzinfo=UTC)
    assert (points[-1].completed, points[-1].dead, points[-2].dead) == (105, 0, 2)
    last = points[-1]
    assert (last.wait_p50, last.wait_p95) == (timedelta(seconds=0.016), timedelta(seconds=4))
    assert (last.run_p50, last.run_p95) == (timedelta(seconds=0.63), timedelta(seconds=16))
    assert points[-3].wait_p50 is None


async def test_a_pause_is_made_up_and_long_spans_add_minutes_up(database: Database) -> None:
    await roll(database, AT - timedelta(hours=5))
    await finish(database, 1, ago=timedelta(hours=5), wait=1, run=1)
    await roll(database, AT - timedelta(hours=5))
    for minutes in (3, 5, 200):
        await finish(database, 7, ago=timedelta(minutes=minutes), wait=1, run=1)
    await roll(database)
    async with database.transaction() as session:
        day = await history(session, Span.DAY, queue="wool", at=AT)
        week = await history(session, Span.WEEK, at=AT)
    assert (len(day), len(week)) == (72, 84)
    assert sum(one.completed for one in day) == sum(one.completed for one in week) == 22
    assert max(one.completed for one in day) in {7, 14}
    await roll(database, AT + KEPT + timedelta(hours=1))
    async with database.transaction() as session:
        for table in (MetricRow, MetricStepRow, KindMinuteRow, KindHourRow):
            assert (await session.execute(select(func.count()).select_from(table))).scalar_one() == 0


async def test_each_kind_is_told_apart_whatever_its_queue(database: Database) -> None:
    await finish(database, 1, ago=timedelta(hours=5), wait=1, run=1)
    await roll(database, AT - timedelta(hours=5))
    await finish(database, 9, ago=timedelta(minutes=1), wait=0.015, run=0.7)
    await finish(database, 3, ago=timedelta(hours=4), wait=4, run=15, state="dead")
    async with database.transaction() as session:
        await session.execute(text("update jobs set queue = 'silk' where state = 'dead'"))
        [other] = await enqueue_all(session, [Wish(Unravel())])
        ended = {"finished_at": AT, "started_at": AT, "run_at": AT, "created_at": AT, "state": "completed"}
        await session.execute(update(JobRow).where(JobRow.id == other).values(ended))
    await roll(database)
    await roll(database, AT + timedelta(minutes=1))
    async with database.transaction() as session:
        hour, day, week = [await history_of_kinds(session, span, at=AT) for span in Span]
    assert hour.keys() == day.keys() == week.keys() == {"test.spin", "test.unravel"}
    assert (hour["test.spin"].completed, hour["test.spin"].dead, hour["test.unravel"].completed) == (9, 0, 1)
    assert day["test.spin"] == replace(week["test.spin"], at=day["test.spin"].at)
    assert (day["test.spin"].completed, day["test.spin"].dead) == (10, 3)
    assert hour["test.spin"].run_p95 == timedelta(seconds=0.63)
    assert day["test.spin"].run_p95 == timedelta(seconds=16)


async def test_what_was_asked_for_is_counted_by_when_it_was(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Spin()) for _ in range(3)])
    at = datetime.now(UTC)
    await roll(database, at)
    async with database.transaction() as session:
        assert sum(one.asked for one in await history(session, Span.HOUR, at=at)) == 3


async def test_what_a_release_with_other_buckets_wrote_is_written_anew(database: Database) -> None:
    await finish(database, 3, ago=timedelta(minutes=9), wait=1, run=1)
    await roll(database)
    async with database.transaction() as session:
        for table in (MetricRow, KindMinuteRow):
            await session.execute(update(table).values(waits=[5] * 21, runs=[5] * 21))
    await roll(database)
    async with database.transaction() as session:
        found = (await history_of_kinds(session, Span.HOUR, at=AT))["test.spin"]
        assert [one.run_p95 for one in await history(session, Span.HOUR, at=AT) if one.run_p95] == [
            found.run_p95
        ]
    assert (found.completed, found.run_p95) == (3, timedelta(seconds=1))


@pytest.mark.parametrize("seconds", [0.0011, 0.0126, 0.02, 0.35, 1.0, 2.06, 9.99, 20.03, 60.0, 583.0, 3599.0])
async def test_a_time_is_told_with_an_error_of_a_seventh_at_most(database: Database, seconds: float) -> None:
    await finish(database, 1, ago=timedelta(), wait=seconds, run=seconds)
    await roll(database)
    async with database.transaction() as session:
        [*_, last] = await history(session, Span.HOUR, at=AT)
    for told in (last.wait_p50, last.wait_p95, last.run_p50, last.run_p95):
        assert told is not None
        assert told.total_seconds() == pytest.approx(seconds, rel=1 / 7)


def test_a_percentile_is_that_of_the_nearest_rank() -> None:
    assert percentile([0] * len(TIMES), 0.5) is None
    found = dict(zip(TIMES, [94, 1, 4, *[0] * (len(TIMES) - 4), 1], strict=True))
    counts = list(found.values())
    assert [percentile(counts, part) for part in (0.0, 0.5, 0.95, 0.99)] == [
        timedelta(milliseconds=one) for one in (1, 1, 1.25, 1.6)
    ]
    assert percentile(counts, 1.0) == timedelta(seconds=TIMES[-1])


async def look(database: Database) -> dict[AlertKind, str]:
    async with database.transaction() as session:
        await watch(session, LIMITS)
    async with database.transaction() as session:
        return {one.kind: one.words for one in await alerts(session)}


def of_no_release(asked_at: datetime) -> dict[str, Any]:
    """A job of a kind that nobody knows, which workers have put off."""
    soon = datetime.now(UTC) + timedelta(seconds=20)
    times = {"rank_at": soon, "run_at": soon, "created_at": asked_at}
    more = {"args": {}, "priority": 5, "max_attempts": 3, "snoozes": 9, "state": JobState.SCHEDULED}
    return {"id": new_id(), "kind": "test.gone", "queue": "silk"} | times | more


async def test_a_kind_that_no_release_knows_is_a_trouble_after_a_day_for_as_long_as_it_waits(
    database: Database,
) -> None:
    async with database.transaction() as session:
        await session.execute(insert(JobRow), [of_no_release(datetime.now(UTC) - timedelta(hours=23))])
    assert await look(database) == {}
    async with database.transaction() as session:
        await session.execute(text("update jobs set created_at = now() - interval '25 hours'"))
    words = "No worker knows the kind test.gone. Jobs of it have waited for more than a day."
    assert await look(database) == {AlertKind.UNKNOWN_KIND: words}
    for state, others in (("active", {AlertKind.UNKNOWN_KIND}), ("cancelled", set())):
        async with database.transaction() as session:
            await session.execute(text("update jobs set state = :state"), {"state": state})
        assert set(await look(database)) == others


async def test_jobs_that_a_limit_holds_back_are_a_backlog_once_they_have_waited_too_long(
    database: Database,
) -> None:
    """Ten thousand behind a silent model are as late as ten thousand without a worker."""
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Spin(), limit=f"host/{number % 3}") for number in range(10)])
        await session.execute(text("update jobs set blocked_by = 'limit/' || limit_key"))
    assert await look(database) == {}
    async with database.transaction() as session:
        await session.execute(text("update jobs set run_at = now() - interval '6 minutes'"))
    found = await look(database)
    assert found.keys() == {AlertKind.BACKLOG, AlertKind.SLOW}
    words = "More than 9 jobs wait in the queue wool. A limit holds jobs of it back."
    assert found[AlertKind.BACKLOG] == words


async def test_a_pause_that_was_forgotten_is_a_trouble_while_jobs_wait_for_its_end(
    database: Database,
) -> None:
    paused_at = datetime.now(UTC) - timedelta(minutes=59)
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Spin()) for _ in range(10)])
        session.add(QueueRow(name="wool", paused_at=paused_at))
    assert await look(database) == {}
    paused_at -= timedelta(minutes=2)
    async with database.transaction() as session:
        await session.execute(text("update jobs set run_at = now() - interval '1 hour'"))
        await session.execute(update(QueueRow).values(paused_at=paused_at))
    words = f"The queue wool has been paused since {paused_at:%Y-%m-%d %H:%M} UTC, and jobs wait in it."
    assert await look(database) == {AlertKind.SLOW: f"{words} Let it go on, or cancel them."}
    async with database.transaction() as session:
        await session.execute(update(QueueRow).values(paused_at=None))
    # That is over; what it leaves behind is told as what it is.
    assert (await look(database)).keys() == {AlertKind.BACKLOG}
    assert (await look(database))[AlertKind.SLOW].startswith("A job has waited in the queue wool")
    async with database.transaction() as session:
        await session.execute(update(QueueRow).values(paused_at=paused_at))
        await session.execute(text("delete from jobs where queue = 'wool'"))
    assert await look(database) == {}


async def test_a_job_that_outlives_its_timeout_is_a_trouble_while_its_worker_lives(
    database: Database,
) -> None:
    ada = new_id()
    async with database.transaction() as session:
        first, other = await enqueue_all(session, [Wish(Spin()) for _ in range(2)])
        session.add(WorkerRow(id=ada, host="ada", pid=7, queues={"wool": 2}))
        await session.execute(text("update jobs set state = 'active', worker_id = :ada"), {"ada": ada})

    async def began(job: UUID, minutes: float) -> None:
        at = now() - timedelta(minutes=minutes)
        async with database.transaction() as session:
            await session.execute(update(JobRow).where(JobRow.id == job).values(started_at=at))

    for job in (first, other):
        await began(job, 5.9)
    assert await look(database) == {}
    await began(first, 6.1)
    await began(other, 6.2)
    found = await look(database)
    assert found.keys() == {AlertKind.SLOW}
    for words in (
        f"The job {other} of the kind test.spin",
        "its timeout is 300 s",
        "1 more",
        "worker ada (process 7)",
    ):
        assert words in found[AlertKind.SLOW]
    async with database.transaction() as session:
        assert (await session.scalars(select(AlertRow.subject))).all() == [f"jobs/{other}"]
        await session.execute(update(WorkerRow).values(beat_at=now() - timedelta(minutes=1)))
    assert (await look(database)).keys() == {AlertKind.DEAD_WORKER}


async def test_a_trouble_is_told_once_and_once_more_when_it_is_over(world: World) -> None:
    database = world.database
    assert await look(database) == {}
    async with database.transaction() as session:
        session.add(Person(email="ada@example.com", role=Role.ADMIN))
        await enqueue_all(session, [Wish(Spin()) for _ in range(10)])
        await session.execute(text("update jobs set run_at = now() - interval '1 hour'"))
        session.add(WorkerRow(id=new_id(), host="ada", pid=7, queues={"wool": 1}, beat_at=AT))
    await finish(database, 2, ago=timedelta(), wait=1, run=1, state="dead")
    async with database.transaction() as session:
        await session.execute(text("update jobs set finished_at = now() where state = 'dead'"))
        await session.execute(
            text(
                "insert into job_attempts (job_id, attempt, outcome)"
                " select id, attempt, 'dead' from jobs where state = 'dead'"
            )
        )
    found = await look(database)
    assert await look(database) == found
    assert found.keys() == set(AlertKind) - {AlertKind.UNKNOWN_KIND}
    assert found[AlertKind.BACKLOG] == "More than 9 jobs wait in the queue wool."
    assert found[AlertKind.FAILURES] == "2 jobs of the kind test.spin died within an hour."
    assert found[AlertKind.DEAD_WORKER].startswith("The worker ada (process 7)")
    async with database.transaction() as session:
        session.add(QueueRow(name="wool", paused_at=datetime.now(UTC)))
        await session.execute(text("delete from job_workers"))
    assert (await look(database)).keys() == {AlertKind.FAILURES}
    async with database.transaction() as session:
        await session.execute(text("delete from jobs where queue = 'wool'"))
    await run_everything(world)
    async with database.transaction() as session:
        letters = (await session.scalars(select(EmailMessage))).all()
    assert {(one.kind, one.to_address) for one in letters} == {("jobs.alert", "ada@example.com")}
    assert sorted(one.facts["until"] is None for one in letters) == [False] * 3 + [True] * 4


async def test_a_worker_that_died_is_told_for_a_while_and_until_another_one_has_taken_its_place(
    database: Database,
) -> None:
    long_ago, dead, alive = now() - TOLD_FOR - timedelta(seconds=1), new_id(), new_id()
    async with database.transaction() as session:
        session.add(WorkerRow(id=dead, host="ada", pid=7, queues={"wool": 1, "silk": 1}, beat_at=long_ago))
        session.add(WorkerRow(id=alive, host="bob", pid=8, queues={"wool": 1}, beat_at=now()))
    assert (await look(database)).keys() == {AlertKind.DEAD_WORKER}
    async with database.transaction() as session:
        await session.execute(
            update(WorkerRow).where(WorkerRow.id == alive).values(queues={"wool": 1, "silk": 1})
        )
    assert await look(database) == {}
    async with database.transaction() as session:
        await session.execute(update(WorkerRow).where(WorkerRow.id == alive).values(is_draining=True))
    # It has been told, and is over.
    assert await look(database) == {}
    async with database.transaction() as session:
        await session.execute(update(WorkerRow).where(WorkerRow.id == alive).values(is_draining=False))
        session.add(
            WorkerRow(id=new_id(), host="eve", pid=9, queues={}, beat_at=now() - timedelta(minutes=1))
        )
    assert (await look(database)).keys() == {AlertKind.DEAD_WORKER}


async def test_a_job_that_died_with_its_worker_has_died_and_not_failed_besides(world: World) -> None:
    store = Store(world.settings.database.url, new_id(), "test")
    async with world.database.transaction() as session:
        await enqueue_all(session, [Wish(Spin()) for _ in range(2)])
    last, other = await store.claim({"wool": 2})
    await store.close()
    async with world.database.transaction() as session:
        await session.execute(text("update jobs set max_attempts = 1 where id = :id"), {"id": last.id})
        assert set(await rescue(session, timedelta(seconds=1))) == {last.id, other.id}
        await roll_up(session, now())
        counts = await session.execute(text("select sum(failed), sum(dead) from job_metrics"))
        assert counts.one() == (1, 1)
