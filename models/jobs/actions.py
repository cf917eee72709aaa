"""What becomes of a held job, one at a time and in the caller's transaction: the paths that are not hot."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed, news_of
from models.jobs.endings import lock, settle
from models.jobs.enqueue import enqueue
from models.jobs.errors import fingerprint
from models.jobs.message import Backoff, unpack
from models.jobs.rules import AGING
from models.jobs.shares import rank_anew
from models.jobs.store import Fence

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
                    snoozes = snoozes + :unspent, crowded_at = case when :is_crowded then crowded_at end,
                    run_at = next.run_at, rank_at = next.run_at + cast(:aging as interval) * priority, error = :error
      from (select id, started_at, clock_timestamp() + cast(:wait as interval) as run_at from jobs
             where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
               for update) next
     where jobs.id = next.id
    returning subject, queue, priority, share_key, next.run_at, next.started_at
    """
)

_PLACE = text("update jobs set rank_at = :rank_at where id = :job_id")

#: The time for which it waited for its turn, behind others of its key or its queue, is not what the other side said.
_CROWDED = text(
    """
    update jobs
       set crowded_at = coalesce(crowded_at + greatest(started_at - run_at, interval '0'), clock_timestamp())
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning clock_timestamp() - crowded_at
    """
)

_BURY = text(
    """
    update jobs set state = 'dead', finished_at = clock_timestamp(), error = :error, fingerprint = :fingerprint
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning subject, when_dead
    """
)

_ATTEMPT = text(
    """
    insert into job_attempts (job_id, attempt, worker_id, outcome, error, traceback, fingerprint, started_at, finished_at)
    select id, :attempt, cast(:worker_id as uuid), :outcome, :error, :traceback, :fingerprint,
           coalesce(cast(:started_at as timestamptz), started_at), clock_timestamp()
      from jobs where id = :job_id
        on conflict (job_id, attempt) do update
       set outcome = excluded.outcome, error = excluded.error, traceback = excluded.traceback,
           fingerprint = excluded.fingerprint, finished_at = excluded.finished_at
    """
)

_RESCUE = text(
    """
    update jobs
       set state = case when attempt >= max_attempts then 'dead' else 'waiting' end,
           finished_at = case when attempt >= max_attempts then clock_timestamp() end,
           worker_id = null,
           error = :error, fingerprint = case when attempt >= max_attempts then :fingerprint end
      from (select j.id, j.worker_id
              from jobs j left join job_workers w on w.id = j.worker_id
             where j.state = 'active' and (w.id is null or w.beat_at < clock_timestamp() - cast(:lease as interval))
             order by j.id limit :limit for update of j skip locked) lost
     where jobs.id = lost.id
    returning jobs.id, jobs.queue, jobs.attempt, lost.worker_id, jobs.state, jobs.subject, jobs.when_dead,
              jobs.flow_id
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

    @property
    def fingerprint(self) -> str:
        """What it shares with others of its cause."""
        return fingerprint(self.error, self.traceback)


def _key(fence: Fence) -> dict[str, object]:
    return {"job_id": fence.job_id, "attempt": fence.attempt, "worker_id": fence.worker_id}


async def hold(session: AsyncSession, fence: Fence) -> None:
    """Make sure that the attempt still holds its job, and keep it so until this transaction ends."""
    if (await session.execute(_HOLD, _key(fence))).one_or_none() is None:
        raise LostLease(str(fence.job_id))


async def complete(session: AsyncSession, fence: Fence, result: dict[str, Any] | None = None) -> None:
    """Complete the job together with whatever else this transaction writes, or none of it: raises `LostLease`."""
    packed = orjson.dumps(result).decode() if result is not None else None
    await lock(session, fence.flow_id)
    row = (await session.execute(_COMPLETE, _key(fence) | {"result": packed})).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    _tell(session, fence.job_id, row.subject)
    await settle(session, fence.flow_id, [fence.job_id])


async def fail(
    session: AsyncSession,
    fence: Fence,
    failure: Failure,
    backoff: Backoff | Callable[[int], timedelta],
    wait: timedelta | None = None,
    *,
    is_crowded: bool = False,
) -> None:
    """Write down that the attempt failed and try again after a pause: the backoff's, or longer if the world asked.

    For `is_crowded` see `crowded_for`.
    """
    luck = random.random()  # noqa: S311 - jitter keeps no secret
    pause = backoff.wait(fence.attempt, luck) if isinstance(backoff, Backoff) else backoff(fence.attempt)
    wait = max(pause, wait or pause)
    began_at = await _again(session, fence, wait, failure.error, unspent=0, is_crowded=is_crowded)
    await remember(session, fence, "failed", failure, began_at)


async def snooze(session: AsyncSession, fence: Fence, wait: timedelta, *, is_crowded: bool = False) -> None:
    """Come back later without spending the attempt. For `is_crowded` see `crowded_for`."""
    await _again(session, fence, wait, None, unspent=1, is_crowded=is_crowded)


async def crowded_for(session: AsyncSession, fence: Fence) -> timedelta:
    """How long this job has met nothing but 429 by now; 0 for the first time. Raises `LostLease`.

    It begins afresh with anything else that becomes of an attempt, and when the job is retried.
    """
    span: timedelta | None = await session.scalar(_CROWDED, _key(fence))
    if span is None:
        raise LostLease(str(fence.job_id))
    return span


async def bury(session: AsyncSession, fence: Fence, failure: Failure) -> None:
    """Give up: the job is dead, and what was to be asked for in that case is asked for here."""
    await lock(session, fence.flow_id)
    words = {"error": failure.error, "fingerprint": failure.fingerprint}
    row = (await session.execute(_BURY, _key(fence) | words)).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    await remember(session, fence, "dead", failure)
    await _follow_up(session, fence.job_id, row.subject, row.when_dead)
    await settle(session, fence.flow_id, [fence.job_id])


async def rescue(session: AsyncSession, lease: timedelta, limit: int = 500) -> list[UUID]:
    """Take back the jobs of workers that have been silent for longer than `lease`; bury those that keep killing theirs.

    Living workers lose nothing, however long their jobs take: the worker's beat is looked at, never the job's age.
    """
    failure = Failure("The worker that ran this died.")
    words = {"error": failure.error, "fingerprint": failure.fingerprint}
    lost = (await session.execute(_RESCUE, {"lease": lease, "limit": limit} | words)).all()
    for row in lost:
        fence = Fence(row.id, row.attempt, row.worker_id)
        await remember(session, fence, "worker died", failure)
        if row.state == "dead":
            await _follow_up(session, row.id, row.subject, row.when_dead)
            await settle(session, row.flow_id, [row.id])
        else:
            news_of(session).queues.add(row.queue)
            _tell(session, row.id, row.subject)
    return [row.id for row in lost]


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
    session: AsyncSession,
    fence: Fence,
    wait: timedelta,
    error: str | None,
    *,
    unspent: int,
    is_crowded: bool,
) -> datetime:
    """Let the job wait for its next attempt. Returns when the present one began."""
    again = {"wait": wait, "error": error, "unspent": unspent, "is_crowded": is_crowded, "aging": AGING}
    row = (await session.execute(_AGAIN, _key(fence) | again)).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    if row.share_key is not None:
        rank_at = await rank_anew(session, row, row.run_at, is_counted=True)
        await session.execute(_PLACE, {"job_id": fence.job_id, "rank_at": rank_at})
    _tell(session, fence.job_id, row.subject)
    began_at: datetime = row.started_at
    return began_at


async def remember(
    session: AsyncSession, fence: Fence, outcome: str, failure: Failure, began_at: datetime | None = None
) -> None:
    """Keep what became of an attempt that did not complete its job; `began_at` if the row does not say it any more."""
    told = {
        "outcome": outcome,
        "error": failure.error,
        "traceback": failure.traceback,
        "fingerprint": failure.fingerprint,
        "started_at": began_at,
    }
    await session.execute(_ATTEMPT, _key(fence) | told)


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
