"""Asking for work is a row in the caller's transaction: commit and the job exists, roll back and it never did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Statement, fetch, new_id, news_of
from models.jobs.message import MAX_ARGS_BYTES, Job
from models.jobs.rules import rank
from models.jobs.shares import Turn, turns

#: What a row is made of, in the order of `_row`, and what each is sent as. JSON goes as text: the driver writes that
#: without a call for each value.
_COLUMNS: Final = {
    "id": "uuid",
    "kind": "text",
    "queue": "text",
    "args": "text",
    "state": "text",
    "priority": "smallint",
    "rank_at": "timestamptz",
    "run_at": "timestamptz",
    "max_attempts": "smallint",
    "unique_key": "text",
    "subject": "text",
    "when_dead": "text",
    "asked_by": "uuid",
    "is_held": "boolean",
    "frees_key": "boolean",
    "share_key": "text",
    "limit_key": "text",
    "secret": "bytea",
}
_JSON: Final = frozenset({"args", "when_dead"})
#: Only where a key may be taken: to prepare for it, and to say which it was, takes a third of the statement's time.
_UNIQUE: Final = """
    on conflict (unique_key) where state in ('scheduled', 'waiting', 'active') and unique_key is not null do nothing
    returning id
"""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row whose being new is what asks for the jobs. One statement writes both, so both are there or neither."""

    #: For the driver: `insert into … values ($1, …) on conflict do nothing returning …`.
    insert: str
    values: tuple[object, ...] = field(repr=False)


@cache
def _statement(new_row: str | None, given: int, alike: tuple[bool, ...], *, is_certain: bool) -> str:
    """The insert, after `given` values of the row before it. A column in which all jobs are alike is one value.

    It returns the ids of what it has inserted, unless it is certain that all of it is.

    For the driver as it is: compiling and binding eighteen arrays for each job took longer than the rest of asking.
    """
    values, arrays, varying = [], [], []
    for place, ((name, kind), is_alike) in enumerate(zip(_COLUMNS.items(), alike, strict=True), given + 2):
        value = f"${place}::{kind}" if is_alike else name
        values.append(f"{value}::jsonb" if name in _JSON else value)
        if not is_alike:
            arrays.append(f"${place}::{kind}[]")
            varying.append(name)
    return f"""
    {f"with new_row as ({new_row})" if new_row else ""}
    insert into jobs (correlation_id, {", ".join(_COLUMNS)})
    select ${given + 1}::text, {", ".join(values)}
     {f"from unnest({', '.join(arrays)}) as new ({', '.join(varying)})" if varying else ""}
     {"where exists (select from new_row)" if new_row else ""}
    {"" if is_certain else _UNIQUE}
    """  # noqa: S608 - our own names


class Wish(msgspec.Struct, frozen=True):
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
    id: UUID = msgspec.field(default_factory=new_id)


async def enqueue(
    session: AsyncSession | Statement,
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
    wish = Wish(
        job,
        unique=unique,
        run_at=run_at,
        priority=priority,
        subject=subject,
        when_dead=when_dead,
        asked_by=asked_by,
        frees_key=frees_key,
        share=share,
        limit=limit,
        keys=keys,
    )
    ids = await enqueue_all(session, [wish])
    return ids[0] if ids else None


async def enqueue_all(
    session: AsyncSession | Statement, wishes: Iterable[Wish], *, if_new: NewRow | None = None
) -> list[UUID]:
    """Ask for many jobs in one statement. Returns the ids of those that were not already there.

    With `if_new`, that row is written first, and nothing is asked for if it was there already.
    """
    # Two batches that want the same keys take them in one order, or each could wait for the other.
    wishes = sorted(wishes, key=lambda one: one.unique or "")
    if not wishes:
        return []
    at = now()
    where = await turns(session, {(one.job.queue, one.share) for one in wishes if one.share is not None})
    rows = [_row(one, at, where.get((one.job.queue, one.share or ""))) for one in wishes]
    columns: dict[str, tuple[Any, ...]] = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    alike = tuple(column.count(column[0]) == len(column) for column in columns.values())
    sent = [
        column[0] if is_alike else column for column, is_alike in zip(columns.values(), alike, strict=True)
    ]
    correlation = structlog.contextvars.get_contextvars().get("correlation_id")
    row, given = (if_new.insert, if_new.values) if if_new else (None, ())
    is_certain = if_new is None and not any(one.unique for one in wishes)
    statement = _statement(row, len(given), alike, is_certain=is_certain)
    asked = await fetch(session, statement, *given, correlation, *sent)
    news = news_of(session)
    news.queues.update(
        queue for queue, state in zip(columns["queue"], columns["state"], strict=True) if state == "waiting"
    )
    news.topics.update(subject for subject in columns["subject"] if subject)
    return [one.id for one in wishes] if is_certain else [job_id for (job_id,) in asked]


def _row(wish: Wish, at: datetime, turn: Turn | None) -> tuple[object, ...]:
    job = wish.job
    args = job.args_json()
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
        sealed(job, wish.keys),
    )


def sealed(job: Job, keys: Keys | None) -> bytes | None:
    """What the message keeps secret, as it stands in a row. Raises `TypeError` if it has secrets, and there are no keys."""
    if not job.secrets:
        return None
    if keys is None:
        raise TypeError(f"{job.kind} has secrets: enqueue it with keys to seal them with")
    return keys.seal(orjson.dumps(job.secret_args()))
