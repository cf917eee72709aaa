"""Keys that outlive a job: asked once in a period, the latest of many askings, and answers that are still good.

For a key that holds only while a job is unfinished, or while it waits, `enqueue(unique=…, frees_key=…)` is enough.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.jobs.enqueue import enqueue
from models.jobs.message import Job
from models.jobs.rules import AGING
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow, KeyRow

_TAKE: Final = text(
    """
    insert into job_keys (key, until) values (:key, clock_timestamp() + :period)
        on conflict (key) do update set until = excluded.until where job_keys.until <= clock_timestamp()
    returning key
    """
)
#: Whoever asks the same question waits here for those who asked before.
_HOLD: Final = text(
    """
    insert into job_keys (key, until) values (:key, clock_timestamp() + :period)
        on conflict (key) do update set until = excluded.until
    returning job_id
    """
)
_REPLACE: Final = text(
    """
    update jobs
       set args = cast(:args as jsonb), run_at = later.run_at, rank_at = later.run_at + :allowance
      from (select id, case when state = 'waiting' then run_at
                            else least(cast(:run_at as timestamptz), created_at + :at_most) end as run_at
              from jobs where unique_key = :key and frees_key and state in ('scheduled', 'waiting') for update) later
     where jobs.id = later.id and jobs.kind = :kind
    returning jobs.id
    """
)
_FORGET: Final = text("delete from job_keys where until < now()")


@dataclass(frozen=True, slots=True)
class Answer:
    """The job that answers a question; its result is there once it is completed."""

    job_id: UUID
    state: JobState
    result: dict[str, Any] | None
    is_new: bool


async def enqueue_once(
    session: AsyncSession, job: Job, key: str, period: timedelta, *, subject: str | None = None
) -> UUID | None:
    """Ask for a job unless `key` was used within `period`. Returns its id or None."""
    if (await session.execute(_TAKE, {"key": f"once/{key}", "period": period})).one_or_none() is None:
        return None
    return await enqueue(session, job, subject=subject)


async def debounce(
    session: AsyncSession,
    job: Job,
    key: str,
    wait: timedelta,
    at_most: timedelta,
    *,
    subject: str | None = None,
) -> UUID:
    """Ask for a job once nobody has asked again for `wait`, at the latest `at_most` after the first who asked.

    Who asks again before it has begun replaces its arguments. Who asks while it runs asks for another one.
    """
    unique = f"debounce/{key}"
    replacing = {
        "args": orjson.dumps(job.args()).decode(),
        "run_at": now() + wait,
        "at_most": at_most,
        "allowance": AGING * job.priority,
        "key": unique,
        "kind": job.kind,
    }
    while True:
        replaced = await session.scalar(_REPLACE, replacing)
        if replaced is not None:
            return UUID(str(replaced))
        run_at = now() + min(wait, at_most)
        asked = await enqueue(session, job, unique=unique, frees_key=True, run_at=run_at, subject=subject)
        if asked is not None:
            return asked


async def ask(
    session: AsyncSession,
    job: Job,
    cached_for: timedelta,
    *,
    subject: str | None = None,
    asked_by: UUID | None = None,
) -> Answer:
    """The job that answers the question `job`: one that was completed within `cached_for`, one that is on its way, or
    a new one. Two questions are the same if their kind and arguments are.
    """
    question = job.kind.encode() + orjson.dumps(job.args(), option=orjson.OPT_SORT_KEYS)
    key = f"answer/{hashlib.blake2b(question, digest_size=16).hexdigest()}"
    known = await session.scalar(_HOLD, {"key": key, "period": cached_for})
    row = await session.get(JobRow, known, populate_existing=True) if known else None
    if row is not None:
        is_fresh = row.finished_at is not None and row.finished_at > now() - cached_for
        if row.state in UNFINISHED or (row.state is JobState.COMPLETED and is_fresh):
            return Answer(row.id, row.state, row.result, is_new=False)
    job_id = await enqueue(session, job, subject=subject, asked_by=asked_by)
    assert job_id is not None
    await session.execute(update(KeyRow).where(KeyRow.key == key).values(job_id=job_id))
    return Answer(job_id, JobState.WAITING, None, is_new=True)


async def forget_keys(session: AsyncSession) -> None:
    """Remove the keys that hold nothing any more."""
    await session.execute(_FORGET)
