"""The audit log: who did what to what, written in the transaction of the deed, chained, and never changed.

The chain has one end, so whoever adds to it waits for the one before. That wait is the very last thing before the
commit: nothing is locked after it, so it lasts as long as a commit and cannot take part in a deadlock.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import event, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from models.accounts.tables import AuditEntry, Person
from models.base.clock import now
from models.base.paging import PAGE_SIZE, Page, decode_cursor, number, page_of

#: What the first row follows.
BEGINNING: Final = bytes(32)
#: Rows that are checked at a time.
_STRETCH: Final = 1000
_CHAIN: Final = text("select pg_advisory_xact_lock(hashtextextended('accounts/audit', 7))")
_TURN: Final = text("select pg_try_advisory_xact_lock(hashtextextended(:subject, 7))")
_WAITING: Final = "audit entries"
#: How often `audit_rarely` writes about one subject.
RARELY: Final = timedelta(hours=1)

#: An entry that waits for the commit, with the savepoint that it was written in.
_Waiting = list[tuple[SessionTransaction | None, AuditEntry]]


async def audit(
    session: AsyncSession, actor: Person | str, action: str, subject: str, **detail: str | int | bool | None
) -> None:
    """Write down, when this commits, that `actor` (a person, or `system`, `stripe`) did `action` to `subject`.

    `action` reads like `order.approved`, `subject` like `order/<id>`. `detail` is what explains it later; never a
    secret, and nothing that names a person, such as an address: the log outlives them.
    """
    person = actor if isinstance(actor, Person) else None
    entry = AuditEntry(
        at=now(),
        actor_id=person.id if person else None,
        actor=person.role.value if person else str(actor),
        action=action,
        subject=subject,
        detail=detail,
    )
    waiting: _Waiting = session.info.setdefault(_WAITING, [])
    waiting.append((session.sync_session.get_nested_transaction(), entry))


async def audit_rarely(
    session: AsyncSession,
    actor: Person | str,
    action: str,
    subject: str,
    *,
    at: datetime,
    **detail: str | int | bool | None,
) -> None:
    """`audit`, unless something is written about `subject` within the last hour: for what any stranger can cause at
    will, so that none fills a log that is never emptied. Every single time stands in the requests' own log.
    """
    # Whoever is second leaves it to the first; who comes after the first's commit sees its entry.
    if not await session.scalar(_TURN, {"subject": subject}):
        return
    latest = select(AuditEntry.at).where(AuditEntry.subject == subject).order_by(AuditEntry.id.desc())
    before = await session.scalar(latest.limit(1))
    if before is None or before <= at - RARELY:
        await audit(session, actor, action, subject, **detail)


def digest_of(previous: bytes, entry: AuditEntry) -> bytes:
    """SHA-256 over the row before and everything that this one tells, in one form for each content."""
    told = {
        "previous": previous.hex(),
        "at": entry.at.astimezone(UTC).isoformat(),
        "actor_id": str(entry.actor_id) if entry.actor_id else None,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    if session.in_nested_transaction() or not (waiting := session.info.pop(_WAITING, None)):
        return
    # What else this transaction writes comes first: its locks are taken before ours.
    session.flush()
    session.execute(_CHAIN)
    last = select(AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1)
    previous = session.scalar(last) or BEGINNING
    for _, entry in waiting:
        entry.digest = previous = digest_of(previous, entry)
        session.add(entry)
        session.flush()


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, undone: SessionTransaction) -> None:
    waiting: _Waiting = session.info.get(_WAITING, [])
    waiting[:] = [(point, entry) for point, entry in waiting if not _is_within(point, undone)]


def _is_within(point: SessionTransaction | None, undone: SessionTransaction) -> bool:
    while point is not None and point is not undone:
        point = point.parent
    return point is undone


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows were looked at, the digest that the last good one ends with, and the first that is not good."""

    checked: int
    digest: bytes
    broken_id: int | None


async def verify(session: AsyncSession) -> Verdict:
    """Follow the chain from its beginning. The first row that was altered, or that follows one that was altered,
    removed or put in, is broken. Rows cut off at the end leave no trace here: keep the last digest somewhere else.
    """
    checked, previous, after = 0, BEGINNING, 0
    while True:
        some = select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id).limit(_STRETCH)
        rows = (await session.scalars(some)).all()
        for row in rows:
            if row.digest != digest_of(previous, row):
                return Verdict(checked, previous, row.id)
            checked, previous, after = checked + 1, row.digest, row.id
        session.expunge_all()
        if len(rows) < _STRETCH:
            return Verdict(checked, previous, None)


async def history_of(session: AsyncSession, subject: str, *, limit: int = 100) -> Sequence[AuditEntry]:
    """What was done to `subject`, latest first."""
    entries = select(AuditEntry).where(AuditEntry.subject == subject)
    return (await session.scalars(entries.order_by(AuditEntry.id.desc()).limit(limit))).all()


async def search(
    session: AsyncSession,
    *,
    person_id: UUID | None = None,
    action: str = "",
    subject: str = "",
    cursor: str | None = None,
) -> Page[tuple[AuditEntry, str | None]]:
    """Entries with the address of who did it, latest first: by or about this person, of actions that begin with
    `action`, about exactly `subject`.
    """
    query = select(AuditEntry, Person.email).outerjoin(Person, Person.id == AuditEntry.actor_id)
    if person_id is not None:
        query = query.where(
            or_(AuditEntry.actor_id == person_id, AuditEntry.subject == f"person/{person_id}")
        )
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if subject:
        query = query.where(AuditEntry.subject == subject)
    if cursor:
        (before,) = decode_cursor(cursor, number)
        query = query.where(AuditEntry.id < before)
    found: list[Any] = [
        tuple(row)
        for row in (await session.execute(query.order_by(AuditEntry.id.desc()).limit(PAGE_SIZE + 1))).all()
    ]
    return page_of(found, PAGE_SIZE, lambda one: [one[0].id])
