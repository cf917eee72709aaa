"""Keys that outlive a job: asked once in a period, the latest of many askings, and answers that are still good.

For a key that holds only while a job is unfinished, or while it waits, `enqueue(unique=…, frees_key=…)` is enough.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import LargeBinary, Text, bindparam, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crypto import Keys
from models.jobs.enqueue import enqueue, sealed
from models.jobs.message import Job
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
#: Its rank moves along with its time, so that it keeps its place among those of its share.
_REPLACE: Final = text(
    """
    with found as (
        select id, kind, run_at, case when state = 'waiting' then run_at
                                      else least(cast(:run_at as timestamptz), created_at + :at_most) end as later
          from jobs where unique_key = :key and state in ('scheduled', 'waiting') for update),
    replaced as (
        update jobs set args = cast(:args as jsonb), secret = :secret, run_at = later, rank_at = rank_at + (later - found.run_at)
          from found where jobs.id = found.id and found.kind = any(:kinds))
    select id, kind from found
    """
).bindparams(bindparam("secret", type_=LargeBinary()), bindparam("kinds", type_=ARRAY(Text())))
#: Whose answer is on its way, or is still good: for no longer than from the asking until `until` once it is there.
_FORGET: Final = text(
    """
    delete from job_keys known
     where until < now()
       and not exists (select from jobs
                        where id = known.job_id
                          and (finished_at is null or finished_at > now() - (known.until - jobs.created_at)))
    """
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The job that answers a question; its result is there once it is completed."""

    job_id: UUID
    state: JobState
    result: dict[str, Any] | None
    is_new: bool


async def enqueue_once(
    session: AsyncSession,
    job: Job,
    key: str,
    period: timedelta,
    *,
    subject: str | None = None,
    share: str | None = None,
    limit: str | None = None,
    keys: Keys | None = None,
) -> UUID | None:
    """Ask for a job unless `key` was used within `period`. Returns its id or None."""
    if (await session.execute(_TAKE, {"key": f"once/{key}", "period": period})).one_or_none() is None:
        return None
    return await enqueue(session, job, subject=subject, share=share, limit=limit, keys=keys)


async def debounce(
    session: AsyncSession,
    job: Job,
    key: str,
    wait: timedelta,
    at_most: timedelta,
    *,
    subject: str | None = None,
    share: str | None = None,
    limit: str | None = None,
    keys: Keys | None = None,
) -> UUID:
    """Ask for a job once nobody has asked again for `wait`, at the latest `at_most` after the first who asked.

    Who asks again before it has begun replaces its arguments. Who asks while it runs asks for another one. Raises
    ValueError if the key is taken by a job of another kind, whose arguments these could not be.
    """
    unique, kinds = f"debounce/{key}", [job.kind, *job.aliases]
    replacing = {
        "args": job.args_json().decode(),
        "secret": sealed(job, keys),
        "run_at": now() + wait,
        "at_most": at_most,
        "key": unique,
        "kinds": kinds,
    }
    wishes: dict[str, Any] = {"subject": subject, "share": share, "limit": limit, "keys": keys}
    # Again only if somebody else takes the key in between: who holds it is seen the next time.
    while True:
        found = (await session.execute(_REPLACE, replacing)).one_or_none()
        if found is not None:
            if found.kind not in kinds:
                raise ValueError(f"{key!r} is debounced for {found.kind}, so it cannot be for {job.kind}")
            return UUID(str(found.id))
        run_at = now() + min(wait, at_most)
        asked = await enqueue(session, job, unique=unique, frees_key=True, run_at=run_at, **wishes)
        if asked is not None:
            return asked


async def ask(
    session: AsyncSession,
    job: Job,
    cached_for: timedelta,
    *,
    subject: str | None = None,
    asked_by: UUID | None = None,
    share: str | None = None,
    limit: str | None = None,
    keys: Keys | None = None,
) -> Answer:
    """The job that answers the question `job`: one that was completed within `cached_for`, one that is on its way, or
    a new one. Two questions are the same if their kind and arguments are, secret ones included.
    """
    key = _question(job, keys)
    known = await session.scalar(_HOLD, {"key": key, "period": cached_for})
    row = await session.get(JobRow, known, populate_existing=True) if known else None
    if row is not None:
        is_fresh = row.finished_at is not None and row.finished_at > now() - cached_for
        if row.state in UNFINISHED or (row.state is JobState.COMPLETED and is_fresh):
            return Answer(row.id, row.state, row.result, is_new=False)
    job_id = await enqueue(
        session, job, subject=subject, asked_by=asked_by, share=share, limit=limit, keys=keys
    )
    assert job_id is not None
    await session.execute(update(KeyRow).where(KeyRow.key == key).values(job_id=job_id))
    return Answer(job_id, JobState.WAITING, None, is_new=True)


def _question(job: Job, keys: Keys | None) -> str:
    question = job.kind.encode() + orjson.dumps(job.args(), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.blake2b(question, digest_size=16).hexdigest()
    if job.secrets:
        if keys is None:
            raise TypeError(f"{job.kind} has secrets: ask it with keys, by which they are compared")
        # Not by a plain digest, from which what is short could be guessed.
        secret = orjson.dumps(job.secret_args(), option=orjson.OPT_SORT_KEYS).decode()
        digest = keys.mac("question", digest, secret).hex()[:32]
    return f"answer/{digest}"


async def forget_keys(session: AsyncSession) -> None:
    """Remove the keys that hold nothing any more."""
    await session.execute(_FORGET)
