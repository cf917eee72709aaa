"""Asking for work is a row in the caller's transaction: commit and the job exists, roll back and it never did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import Boolean, LargeBinary, SmallInteger, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import new_id, news_of
from models.jobs.message import MAX_ARGS_BYTES, Job
from models.jobs.rules import rank
from models.jobs.shares import Turn, turns

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
    "askers": ARRAY(Uuid()),
    "holds": ARRAY(Boolean()),
    "frees": ARRAY(Boolean()),
    "shares": _TEXTS,
    "limits": _TEXTS,
    "secrets": ARRAY(LargeBinary()),
}

_INSERT = text(
    """
    insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts,
                      unique_key, subject, when_dead, asked_by, is_held, frees_key,
                      share_key, limit_key, secret, correlation_id)
    select id, kind, queue, args::jsonb, state, priority, rank_at, run_at, max_attempts,
           unique_key, subject, when_dead::jsonb, asked_by, is_held, frees_key,
           share_key, limit_key, secret, cast(:correlation_id as text)
      from unnest(:ids, :kinds, :queues, :args, :states, :priorities, :ranks, :runs, :maxima, :keys, :subjects, :deads,
                  :askers, :holds, :frees, :shares, :limits, :secrets)
        as new (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts, unique_key, subject, when_dead,
                asked_by, is_held, frees_key, share_key, limit_key, secret)
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
    #: The person who asked, by the board or the API.
    asked_by: UUID | None = None
    #: `unique` holds only until a worker claims the job: who asks while it runs asks for another one.
    frees_key: bool = False
    #: Whose share of the queue it takes, as `person/<id>`: those who wait take turns.
    share: str | None = None
    #: What it is held to a limit by, together with others, as `host/example.com`: see `limits`.
    limit: str | None = None
    #: What a message's secrets are sealed with.
    keys: Keys | None = None
    id: UUID = field(default_factory=new_id)


async def enqueue(
    session: AsyncSession,
    job: Job,
    *,
    unique: str | None = None,
    run_at: datetime | None = None,
    priority: int | None = None,
    subject: str | None = None,
    when_dead: Job | None = None,
    asked_by: UUID | None = None,
    frees_key: bool = False,
    share: str | None = None,
    limit: str | None = None,
    keys: Keys | None = None,
) -> UUID | None:
    """Ask for one job. Returns its id, or None if `unique` is taken by one that is not finished."""
    wish = Wish(job, unique, run_at, priority, subject, when_dead, asked_by, frees_key, share, limit, keys)
    ids = await enqueue_all(session, [wish])
    return ids[0] if ids else None


async def enqueue_all(session: AsyncSession, wishes: Iterable[Wish]) -> list[UUID]:
    """Ask for many jobs in one statement. Returns the ids of those that were not already there."""
    wishes = list(wishes)
    if not wishes:
        return []
    at = now()
    where = await turns(session, {(one.job.queue, one.share) for one in wishes if one.share is not None})
    rows = [_row(one, at, where.get((one.job.queue, one.share or ""))) for one in wishes]
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


def _row(wish: Wish, at: datetime, turn: Turn | None) -> tuple[object, ...]:
    job = wish.job
    args = orjson.dumps(job.args())
    if len(args) > MAX_ARGS_BYTES:
        raise ValueError(
            f"the arguments of {job.kind} take {len(args)} bytes; let ids travel and rows stay home"
        )
    priority = job.priority if wish.priority is None else wish.priority
    run_at = wish.run_at or at
    is_scheduled = run_at > at
    return (
        wish.id,
        job.kind,
        job.queue,
        args.decode(),
        "scheduled" if is_scheduled else "waiting",
        priority,
        turn.next(run_at, priority, is_scheduled=is_scheduled) if turn else rank(run_at, priority),
        run_at,
        job.attempts,
        wish.unique,
        wish.subject,
        orjson.dumps(wish.when_dead.packed()).decode() if wish.when_dead else None,
        wish.asked_by,
        job.holds_money,
        wish.frees_key,
        wish.share,
        wish.limit or job.limit,
        _sealed(wish),
    )


def _sealed(wish: Wish) -> bytes | None:
    if not wish.job.secrets:
        return None
    if wish.keys is None:
        raise TypeError(f"{wish.job.kind} has secrets: enqueue it with keys to seal them with")
    return wish.keys.seal(orjson.dumps(wish.job.secret_args()))
