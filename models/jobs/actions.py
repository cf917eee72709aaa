"""What becomes of a held job, one at a time and in the caller's transaction: the paths that are not hot."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import Row, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import news_of
from models.jobs.endings import follow_up, lock, settle
from models.jobs.errors import fingerprint
from models.jobs.message import Backoff
from models.jobs.rules import AGING, LONGEST_SILENCE
from models.jobs.shares import rank_anew
from models.jobs.store import DIED, Fence, suspected
from models.jobs.telling import tell

log = structlog.get_logger(__name__)

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
                    snoozes = least(cast(snoozes as int) + :unspent, 32767),
                    crowded_at = case when :is_crowded then crowded_at end,
                    run_at = next.run_at, rank_at = next.run_at + cast(:aging as interval) * priority, error = :error
      from (select id, started_at, clock_timestamp() + cast(:wait as interval) as run_at from jobs
             where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
               for update) next
     where jobs.id = next.id
    returning subject, queue, priority, share_key, next.run_at, next.started_at
    """
)

_PUT_OFF = text(
    """
    insert into job_snoozes as known (job_id, attempt, first_at, at, until, why)
    select :job_id, :attempt, at, at, :until, :why
      from (select cast(:until as timestamptz) - cast(:wait as interval) as at) now
        on conflict (job_id, attempt) do update
       set times = known.times + 1, at = excluded.at, until = excluded.until, why = excluded.why
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
    returning id, subject, when_dead, flow_id
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

#: Jobs whose worker has been silent for longer than a lease.
_LOST = """
      from jobs j left join job_workers w on w.id = j.worker_id
     where j.state = 'active' and (w.id is null or w.beat_at < clock_timestamp() - cast(:lease as interval))
"""
#: Whoever is to be run once at most is not run again, nor whoever was disowned at its last attempt. Of the others nobody
#: is buried for the death of a worker without having been alone under suspicion in it.
_LOOK_FOR_LOST = text(
    f"""
    select id, kind, flow_id,
           attempt >= max_attempts
           and (max_attempts = 1 or worker_id is null or is_suspect and suspects = 1) as is_doomed
      from (select lost.*, count(*) filter (where is_suspect) over (partition by worker_id) as suspects
              from (select j.id, j.kind, j.flow_id, j.worker_id, j.attempt, j.max_attempts,
                           {suspected("j", "j.attempt")} as is_suspect {_LOST}) lost) counted
     order by id limit :limit
    """  # noqa: S608 - our own words
)
_TAKE_BACK = text(
    f"""
    update jobs
       set state = case when cast(:buried_as as text) is null then 'waiting' else 'dead' end,
           finished_at = case when cast(:buried_as as text) is not null then clock_timestamp() end,
           max_attempts = case when cast(:buried_as as text) is null then greatest(max_attempts, attempt + 1)
                               else max_attempts end,
           worker_id = null, error = :error, fingerprint = :buried_as
      from (select j.id, j.worker_id {_LOST} and j.id = any(:ids) for update of j skip locked) lost
     where jobs.id = lost.id
    returning jobs.id, jobs.kind, jobs.queue, jobs.attempt, lost.worker_id, jobs.subject, jobs.when_dead, jobs.flow_id
    """  # noqa: S608 - our own words
).bindparams(bindparam("ids", type_=ARRAY(Uuid())))

#: Whatever a dead worker's jobs went on with has ended with it.
_ENDED_WITH_IT = text(
    """
    update job_workers set lingering = null
     where lingering <> '{}' and beat_at < clock_timestamp() - cast(:lease as interval)
    """
)

_SET_ASIDE = text(
    """
    update jobs
       set state = 'scheduled', worker_id = null, started_at = null, attempt = attempt - 1,
           snoozes = least(cast(snoozes as int) + 1, 32767), blocked_by = nullif(blocked_by, 'limit/' || limit_key),
           run_at = clock_timestamp() + cast(:wait as interval)
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning subject, run_at
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
    #: Where the words are always the same, the kind whose cause it is.
    kind: str = ""

    @property
    def fingerprint(self) -> str:
        """What it shares with others of its cause."""
        return fingerprint(self.error, self.traceback, self.kind)


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
    tell(session, fence.job_id, row.subject)
    await settle(session, fence.flow_id, [fence.job_id])


async def fail(
    session: AsyncSession,
    fence: Fence,
    failure: Failure,
    backoff: Backoff | Callable[[int], timedelta],
    wait: timedelta | None = None,
    *,
    tried: int | None = None,
    is_crowded: bool = False,
) -> None:
    """Write down that the attempt failed and try again after a pause: the backoff's, or longer if the world asked.

    The backoff goes by how often it was `tried` since somebody let it run again, by default by the attempt's number. For
    `is_crowded` see `crowded_for`.
    """
    luck = random.random()  # noqa: S311 - jitter keeps no secret
    number = tried or fence.attempt
    pause = backoff.wait(number, luck) if isinstance(backoff, Backoff) else backoff(number)
    if wait is not None:
        pause = max(pause, min(wait, LONGEST_SILENCE) if is_crowded else wait)
    row = await _again(session, fence, pause, failure.error, unspent=0, is_crowded=is_crowded)
    await remember(session, fence, "failed", failure, row.started_at)


async def snooze(
    session: AsyncSession, fence: Fence, wait: timedelta, why: str, *, is_crowded: bool = False
) -> None:
    """Come back later without spending the attempt. `why` is a sentence of ours, which anybody at the board may read.

    For `is_crowded` see `crowded_for`.
    """
    if is_crowded:
        wait = min(wait, LONGEST_SILENCE)
    row = await _again(session, fence, wait, None, unspent=1, is_crowded=is_crowded)
    await _put_off(session, fence, wait, row.run_at, why)


async def set_aside(session: AsyncSession, fence: Fence, wait: timedelta, why: str) -> None:
    """Give a job back that was claimed and not begun: it comes again after `wait`, at the place that it had."""
    row = (await session.execute(_SET_ASIDE, _key(fence) | {"wait": wait})).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    tell(session, fence.job_id, row.subject)
    await _put_off(session, fence, wait, row.run_at, why)


async def _put_off(session: AsyncSession, fence: Fence, wait: timedelta, until: datetime, why: str) -> None:
    told = {"job_id": fence.job_id, "attempt": fence.attempt, "wait": wait, "until": until, "why": why}
    await session.execute(_PUT_OFF, told)


async def crowded_for(session: AsyncSession, fence: Fence) -> timedelta:
    """How long this job has met nothing but 429 by now; 0 for the first time. Raises `LostLease`.

    It begins afresh with anything else that becomes of an attempt, and when the job is retried.
    """
    # This locks the job's row, and its flow has to be locked before, in case that the job is buried.
    await lock(session, fence.flow_id)
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
    await _mourn(session, row)


async def rescue(session: AsyncSession, lease: timedelta, limit: int = 500) -> list[UUID]:
    """Take back the jobs of workers that have been silent for longer than `lease`; bury those that keep killing theirs.

    Living workers lose nothing, however long their jobs take: the worker's beat is looked at, never the job's age. Nor is
    anybody buried for a neighbour: whose worker died at its last attempt has another one, until it was suspected alone.
    """
    await session.execute(_ENDED_WITH_IT, {"lease": lease})
    lost = (await session.execute(_LOOK_FOR_LOST, {"lease": lease, "limit": limit})).all()
    doomed = [row for row in lost if row.is_doomed]
    # Flows before any of their jobs, in one order: see `endings`.
    for flow_id in sorted({row.flow_id for row in doomed if row.flow_id}):
        await lock(session, flow_id)
    saved: list[UUID] = []
    for row in doomed:
        # What follows from the end of one may not be possible: that one stays, the others do not wait for it.
        try:
            async with session.begin_nested():
                buried_as = Failure(DIED, kind=row.kind).fingerprint
                saved += await _take_back(session, lease, [row.id], buried_as)
        except Exception:
            log.exception("job.not_rescued", job=str(row.id))
    return saved + await _take_back(session, lease, [row.id for row in lost if not row.is_doomed], None)


async def _take_back(
    session: AsyncSession, lease: timedelta, ids: Sequence[UUID], buried_as: str | None
) -> list[UUID]:
    asked = {"lease": lease, "ids": ids, "error": DIED, "buried_as": buried_as}
    taken = (await session.execute(_TAKE_BACK, asked)).all()
    for row in taken:
        failure = Failure(DIED, kind=row.kind)
        await remember(session, Fence(row.id, row.attempt, row.worker_id), "worker died", failure)
        if buried_as is not None:
            await _mourn(session, row)
        else:
            tell(session, row.id, row.subject)
            news_of(session).queues.add(row.queue)
    return [row.id for row in taken]


async def _mourn(session: AsyncSession, row: Row[Any]) -> None:
    """What follows from the death of a job."""
    tell(session, row.id, row.subject)
    if row.when_dead is not None:
        await follow_up(session, row.id, row.when_dead, row.subject)
    await settle(session, row.flow_id, [row.id])


async def hurry(session: AsyncSession, job_id: UUID, priority: int = 0) -> bool:
    """Let a job that has not begun go before those that are less urgent. Returns whether that changed anything."""
    wish = {"job_id": job_id, "priority": priority, "allowance": AGING * priority}
    row = (await session.execute(_HURRY, wish)).one_or_none()
    if row is None:
        return False
    news_of(session).queues.add(row.queue)
    tell(session, job_id, row.subject)
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
) -> Row[Any]:
    """Let the job wait for its next attempt. Returns when that is (`run_at`), and when the present one began."""
    again = {"wait": wait, "error": error, "unspent": unspent, "is_crowded": is_crowded, "aging": AGING}
    row = (await session.execute(_AGAIN, _key(fence) | again)).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    if row.share_key is not None:
        rank_at = await rank_anew(session, row, row.run_at, is_counted=True)
        await session.execute(_PLACE, {"job_id": fence.job_id, "rank_at": rank_at})
    tell(session, fence.job_id, row.subject)
    return row


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
