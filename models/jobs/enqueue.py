"""Asking for work is a row in the caller's transaction: commit and the job exists, roll back and it never did."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import SmallInteger, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from models.base.clock import now
from models.base.db import new_id, news_of
from models.jobs.message import MAX_ARGS_BYTES, Job
from models.jobs.rules import rank

_TEXTS = ARRAY(Text())
_SMALLS = ARRAY(SmallInteger())
_TIMES = ARRAY(TIMESTAMP(timezone=True))
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "ids": ARRAY(Uuid()),
    "kinds": _TEXTS,
    "queues": _TEXTS,
    "args": _TEXTS,
    "states": _TEXTS,
    "priorities": _SMALLS,
    "ranks": _TIMES,
    "runs": _TIMES,
    "maxima": _SMALLS,
    "keys": _TEXTS,
    "subjects": _TEXTS,
    "deads": _TEXTS,
}

_INSERT = text(
    """
    insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts,
                      unique_key, subject, when_dead, correlation_id)
    select id, kind, queue, args::jsonb, state, priority, rank_at, run_at, max_attempts,
           unique_key, subject, when_dead::jsonb, cast(:correlation_id as text)
      from unnest(:ids, :kinds, :queues, :args, :states, :priorities, :ranks, :runs, :maxima, :keys, :subjects, :deads)
        as new (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts, unique_key, subject, when_dead)
        on conflict (unique_key) where state in ('scheduled', 'waiting', 'active') do nothing
    returning id
    """
).bindparams(*(bindparam(name, type_=kind) for name, kind in _COLUMNS.items()))


@dataclass(frozen=True, slots=True)
class Wish:
    """A message, and how it is wished for."""

    job: Job
    #: While an unfinished job has this key, asking again asks for nothing.
    unique: str | None = None
    run_at: datetime | None = None
    priority: int | None = None
    #: What it is about, as `order/<id>`.
    subject: str | None = None
    #: Asked for in the transaction that buries this job: after its last attempt, or when it killed its worker.
    when_dead: Job | None = None


async def enqueue(
    session: AsyncSession,
    job: Job,
    *,
    unique: str | None = None,
    run_at: datetime | None = None,
    priority: int | None = None,
    subject: str | None = None,
    when_dead: Job | None = None,
) -> UUID | None:
    """Ask for one job. Returns its id, or None if `unique` is taken by one that is not finished."""
    ids = await enqueue_all(session, [Wish(job, unique, run_at, priority, subject, when_dead)])
    return ids[0] if ids else None


async def enqueue_all(session: AsyncSession, wishes: Iterable[Wish]) -> list[UUID]:
    """Ask for many jobs in one statement. Returns the ids of those that were not already there."""
    at = now()
    rows = [_row(wish, at) for wish in wishes]
    if not rows:
        return []
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    correlation = structlog.contextvars.get_contextvars().get("correlation_id")
    result = await session.execute(
        _INSERT, dict(zip(_COLUMNS, columns, strict=True)) | {"correlation_id": correlation}
    )
    news = news_of(session)
    news.queues.update(
        queue for queue, state in zip(columns[2], columns[4], strict=True) if state == "waiting"
    )
    news.topics.update(subject for subject in columns[10] if subject)
    return list(result.scalars())


def _row(wish: Wish, at: datetime) -> tuple[object, ...]:
    job = wish.job
    args = orjson.dumps(job.args())
    if len(args) > MAX_ARGS_BYTES:
        raise ValueError(
            f"the arguments of {job.kind} take {len(args)} bytes; let ids travel and rows stay home"
        )
    priority = job.priority if wish.priority is None else wish.priority
    run_at = wish.run_at or at
    return (
        new_id(),
        job.kind,
        job.queue,
        args.decode(),
        "scheduled" if run_at > at else "waiting",
        priority,
        rank(run_at, priority),
        run_at,
        job.attempts,
        wish.unique,
        wish.subject,
        orjson.dumps(wish.when_dead.packed()).decode() if wish.when_dead else None,
    )
