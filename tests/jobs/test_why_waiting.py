"""Why is it waiting? In words, with numbers, and what would change it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import enqueue
from models.jobs.limits import Limit, Rate, set_limit, slow_down
from models.jobs.queues import limit_queue, pause
from models.jobs.tables import JobRow, SnoozeRow
from models.jobs.waiting import why_waiting
from tests.jobs.messages import Play

LEASE = timedelta(seconds=8)


async def ask(session: AsyncSession, **wishes: Any) -> UUID:
    job = await enqueue(session, Play(act="return"), **wishes)
    assert job is not None
    return job


async def run(session: AsyncSession, job: UUID) -> None:
    await session.execute(
        text("update jobs set state = 'active', started_at = now(), attempt = 1 where id = :id"), {"id": job}
    )


async def worker(session: AsyncSession, slots: int) -> None:
    await session.execute(
        text(
            "insert into job_workers (id, host, pid, queues)"
            " values (:id, 'here', 1, jsonb_build_object('test', cast(:slots as int)))"
        ),
        {"id": new_id(), "slots": slots},
    )


async def why(session: AsyncSession, job: UUID) -> dict[str, str]:
    row = await session.get_one(JobRow, job, populate_existing=True)
    reasons = await why_waiting(session, row, LEASE)
    assert all(one.remedy for one in reasons)
    return {one.what: one.words for one in reasons}


async def test_nothing_keeps_a_job_or_no_worker_is_there_or_all_are_busy(database: Database) -> None:
    async with database.transaction() as session:
        job = await ask(session)
        assert await why(session, job) == {"no-worker": "No living worker serves the queue test."}
        row = await session.get_one(JobRow, job)
        [reason] = await why_waiting(session, row, LEASE)
        # The product starts workers itself, where that is configured.
        assert "SCALING_BACKEND" in reason.remedy
        assert "--queues test" in reason.remedy
        await worker(session, 1)
        assert set(await why(session, job)) == {"soon"}
        later = await ask(session)
        await run(session, job)
        last = await ask(session)
        assert (await why(session, later))[
            "slots"
        ] == "All 1 slots of the queue test are taken, and 0 jobs are before it."
        assert "1 job is before it" in (await why(session, last))["slots"]
        assert await why(session, job) == {}
        await session.execute(
            text(
                "update jobs set state = 'completed', finished_at = now(), started_at = now() - interval '3 minutes',"
                " run_at = now() - interval '4 minutes' where id = :id"
            ),
            {"id": job},
        )
        await run(session, later)
        assert (await why(session, last))["slots"].endswith("lately it begins in about 3 minutes.")


async def test_what_stands_before_a_job_is_reckoned_by_its_own_kind(database: Database) -> None:
    """Twelve of 25 seconds before many short ones keep them waiting for as long as they take themselves."""
    async with database.transaction() as session:
        await worker(session, 8)
        for kind, seconds, state, count in (
            ("test.play", 1, "completed", 200),
            ("test.mourn", 25, "completed", 2),
            ("test.mourn", 25, "active", 8),
            ("test.mourn", 25, "waiting", 4),
            ("test.play", 1, "waiting", 40),
        ):
            await session.execute(
                text(
                    "insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts, attempt,"
                    " started_at, finished_at)"
                    " select gen_random_uuid(), :kind, 'test', '{}', cast(:state as text), 5, now(), now(), 3, 1,"
                    "        case when cast(:state as text) = 'active' then now() else now() - cast(:took as interval) end,"
                    "        case when cast(:state as text) = 'completed' then now() end from generate_series(1, :count)"
                ),
                {"kind": kind, "state": state, "count": count, "took": timedelta(seconds=seconds)},
            )
        last = await ask(session)
        told = (await why(session, last))["slots"]
    # (12 * 25 + 40 * 1) / 8
    assert "44 jobs are before it" in told
    assert told.endswith("it begins in about 42 seconds.")


async def test_its_time_has_not_come(database: Database) -> None:
    async with database.transaction() as session:
        await worker(session, 4)
        job = await ask(session, run_at=now() + timedelta(hours=1))
        assert "It is to run at" in (await why(session, job))["scheduled"]
        await session.execute(text("update jobs set snoozes = 4"))
        assert "put off 4 times" in (await why(session, job))["scheduled"]
        put_off = {"first_at": now(), "at": now(), "until": now(), "why": "It rains."}
        session.add(SnoozeRow(job_id=job, attempt=1, **put_off))
        assert (await why(session, job))["scheduled"].endswith(" UTC. It rains.")
        await session.execute(text("update jobs set attempt = 1, error = 'by zero'"))
        assert "Attempt 1 of 3 failed" in (await why(session, job))["retry"]


async def test_something_is_paused_or_comes_first(database: Database) -> None:
    async with database.transaction() as session:
        await worker(session, 4)
        job = await ask(session)
        await pause(session, "test")
        assert await why(session, job) == {"paused": "The queue test is paused."}
        await session.execute(
            text("update jobs set run_anyway = true, blocked_by = 'parents', parents_left = 2")
        )
        assert await why(session, job) == {"parents": "It waits for 2 other jobs of its flow to end."}
        await session.execute(text("update jobs set blocked_by = 'flow'"))
        both = await why_waiting(session, await session.get_one(JobRow, job), LEASE)
        assert [(one.what, one.remedy) for one in both] == [
            ("parents", "Look at those that have not ended."),
            ("flow", "Let the flow go on."),
        ]
        await session.execute(text("update jobs set parents_left = 0"))
        assert await why(session, job) == {"flow": "Its flow is paused."}


async def test_a_limit_is_reached(database: Database) -> None:
    async with database.transaction() as session:
        await worker(session, 4)
        busy = await ask(session, limit="host/example.com")
        job = await ask(session, limit="host/example.com")
        await run(session, busy)
        await set_limit(session, "host/*", Limit(1))
        await limit_queue(session, "test", Limit(1, Rate(1, 60)))
        await session.execute(
            text("insert into job_gates (name, full_at) values ('queue/test', now() + interval '45 seconds')")
        )
        reasons = await why_waiting(session, await session.get_one(JobRow, job), LEASE)
        assert [one.words for one in reasons] == [
            "1 of at most 1 job of host/example.com is running.",
            "1 of at most 1 job of the queue test is running.",
            "The rate of the queue test is used up; the next one may begin in about 45 seconds.",
        ]
        await slow_down(session, "host/example.com", timedelta(minutes=10))
        assert "begins again in 10 minutes" in (await why(session, job))["silence"]
