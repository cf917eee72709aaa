"""What becomes of a held job, one at a time and in the caller's transaction: the paths that are not hot."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, news_of
from models.base.errors import Conflict, NotFound
from models.jobs.enqueue import enqueue
from models.jobs.message import Backoff, kinds, unpack
from models.jobs.rules import AGING, rank
from models.jobs.store import Fence
from models.jobs.tables import JobRow

_HOLD = text(
    """
    select subject from jobs
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
       for share
    """
)

_COMPLETE = text(
    """
    update jobs set state = 'completed', finished_at = clock_timestamp(), result = cast(:result as jsonb), error = null
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning subject
    """
)

_AGAIN = text(
    """
    update jobs set state = 'scheduled', worker_id = null, started_at = null, attempt = attempt - :unspent,
                    run_at = clock_timestamp() + :wait, rank_at = clock_timestamp() + :wait, error = :error
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning subject
    """
)

_BURY = text(
    """
    update jobs set state = 'dead', finished_at = clock_timestamp(), error = :error
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning subject, when_dead
    """
)

_ATTEMPT = text(
    """
    insert into job_attempts (job_id, attempt, worker_id, outcome, error, traceback, started_at, finished_at)
    select id, :attempt, cast(:worker_id as uuid), :outcome, :error, :traceback, started_at, clock_timestamp()
      from jobs where id = :job_id
        on conflict (job_id, attempt) do update
       set outcome = excluded.outcome, error = excluded.error, traceback = excluded.traceback,
           finished_at = excluded.finished_at
    """
)

_RESCUE = text(
    """
    update jobs
       set state = case when attempt >= max_attempts then 'dead' else 'waiting' end,
           finished_at = case when attempt >= max_attempts then clock_timestamp() end,
           worker_id = null, rank_at = least(rank_at, clock_timestamp()),
           error = 'The worker that ran this died.'
      from (select j.id, j.worker_id
              from jobs j left join job_workers w on w.id = j.worker_id
             where j.state = 'active' and (w.id is null or w.beat_at < clock_timestamp() - cast(:lease as interval))
             order by j.id limit :limit for update of j skip locked) lost
     where jobs.id = lost.id
    returning jobs.id, jobs.queue, jobs.attempt, lost.worker_id, jobs.state, jobs.subject, jobs.when_dead
    """
)

_RETRY = text(
    """
    update jobs
       set state = 'waiting', finished_at = null, started_at = null, worker_id = null, result = null,
           run_at = clock_timestamp(), rank_at = :rank_at, max_attempts = attempt + :attempts
     where id = :job_id and state = 'dead'
       and not exists (select from jobs other where other.unique_key = jobs.unique_key
                          and other.state in ('scheduled', 'waiting', 'active'))
    returning queue, subject
    """
)

_HURRY = text(
    """
    update jobs
       set priority = :priority, rank_at = least(rank_at, run_at + cast(:allowance as interval))
     where id = :job_id and state in ('scheduled', 'waiting') and priority > :priority
    returning queue, subject
    """
)

_FORGET_WORKERS = text(
    """
    delete from job_workers w
     where beat_at < now() - interval '1 hour' and not exists (select from jobs where worker_id = w.id and state = 'active')
    """
)


class LostLease(Exception):
    """The attempt no longer holds its job: taken for dead, cancelled, or finished. Nothing that it writes counts."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in an attempt."""

    error: str
    traceback: str | None = None


def _key(fence: Fence) -> dict[str, object]:
    return {"job_id": fence.job_id, "attempt": fence.attempt, "worker_id": fence.worker_id}


async def hold(session: AsyncSession, fence: Fence) -> None:
    """Make sure that the attempt still holds its job, and keep it so until this transaction ends."""
    if (await session.execute(_HOLD, _key(fence))).one_or_none() is None:
        raise LostLease(str(fence.job_id))


async def complete(session: AsyncSession, fence: Fence, result: dict[str, Any] | None = None) -> None:
    """Complete the job together with whatever else this transaction writes, or none of it: raises `LostLease`."""
    packed = orjson.dumps(result).decode() if result is not None else None
    row = (await session.execute(_COMPLETE, _key(fence) | {"result": packed})).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    _tell(session, fence.job_id, row.subject)


async def fail(
    session: AsyncSession, fence: Fence, failure: Failure, backoff: Backoff, wait: timedelta | None = None
) -> None:
    """Write down that the attempt failed and try again after a pause: the backoff's, or longer if the world asked."""
    pause = backoff.wait(fence.attempt, random.random())  # noqa: S311 - jitter keeps no secret
    await _again(session, fence, max(pause, wait or pause), failure.error, unspent=0)
    await _remember(session, fence, "failed", failure)


async def snooze(session: AsyncSession, fence: Fence, wait: timedelta) -> None:
    """Come back later without spending the attempt."""
    await _again(session, fence, wait, None, unspent=1)


async def bury(session: AsyncSession, fence: Fence, failure: Failure) -> None:
    """Give up: the job is dead, and what was to be asked for in that case is asked for here."""
    row = (await session.execute(_BURY, _key(fence) | {"error": failure.error})).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    await _remember(session, fence, "dead", failure)
    await _follow_up(session, fence.job_id, row.subject, row.when_dead)


async def rescue(session: AsyncSession, lease: timedelta, limit: int = 500) -> list[UUID]:
    """Take back the jobs of workers that have been silent for longer than `lease`; bury those that keep killing theirs.

    Living workers lose nothing, however long their jobs take: the worker's beat is looked at, never the job's age.
    """
    lost = (await session.execute(_RESCUE, {"lease": lease, "limit": limit})).all()
    for row in lost:
        failure = Failure("The worker that ran this died.")
        fence = Fence(row.id, row.attempt, row.worker_id)
        await _remember(session, fence, "worker died", failure)
        if row.state == "dead":
            await _follow_up(session, row.id, row.subject, row.when_dead)
        else:
            news_of(session).queues.add(row.queue)
            _tell(session, row.id, row.subject)
    return [row.id for row in lost]


async def retry(session: AsyncSession, job_id: UUID) -> None:
    """Let a dead job wait for a worker again, with as many attempts as its kind has; what it wrote so far stays.

    What was asked for when it died has been asked for: a runner finds the world as that left it. Raises `NotFound`,
    or `Conflict` for a job that is not dead, or whose work another job has taken over.
    """
    job = await session.get(JobRow, job_id, populate_existing=True)
    if job is None:
        raise NotFound("There is no such job.")
    known = kinds().get(job.kind)
    again = {"rank_at": rank(now(), job.priority), "attempts": known.attempts if known else 1}
    try:
        async with session.begin_nested():
            row = (await session.execute(_RETRY, {"job_id": job_id} | again)).one_or_none()
    except IntegrityError:
        row = None
    if row is None:
        raise Conflict("This job is not dead any more, or another one does its work.")
    news_of(session).queues.add(row.queue)
    _tell(session, job_id, row.subject)


async def hurry(session: AsyncSession, job_id: UUID, priority: int = 0) -> bool:
    """Let a job that has not begun go before those that are less urgent. Returns whether that changed anything."""
    wish = {"job_id": job_id, "priority": priority, "allowance": AGING * priority}
    row = (await session.execute(_HURRY, wish)).one_or_none()
    if row is None:
        return False
    news_of(session).queues.add(row.queue)
    _tell(session, job_id, row.subject)
    return True


async def forget_workers(session: AsyncSession) -> None:
    """Remove the rows of workers that died an hour ago."""
    await session.execute(_FORGET_WORKERS)


async def _again(
    session: AsyncSession, fence: Fence, wait: timedelta, error: str | None, *, unspent: int
) -> None:
    row = (
        await session.execute(_AGAIN, _key(fence) | {"wait": wait, "error": error, "unspent": unspent})
    ).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    _tell(session, fence.job_id, row.subject)


async def _remember(session: AsyncSession, fence: Fence, outcome: str, failure: Failure) -> None:
    await session.execute(
        _ATTEMPT, _key(fence) | {"outcome": outcome, "error": failure.error, "traceback": failure.traceback}
    )


async def _follow_up(
    session: AsyncSession, job_id: UUID, subject: str | None, packed: dict[str, Any] | None
) -> None:
    _tell(session, job_id, subject)
    if packed is not None:
        await enqueue(session, unpack(packed), subject=subject)


def _tell(session: AsyncSession, job_id: UUID, subject: str | None) -> None:
    changed(session, f"job/{job_id}")
    if subject:
        changed(session, subject)
