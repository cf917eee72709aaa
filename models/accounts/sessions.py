"""Signed-in browsers: a row each, found by the fingerprint of a secret that only the browser has."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, case, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.rules import LINK_LIFE, lifetime
from models.accounts.states import Role
from models.accounts.tables import Person, Session
from models.base.crypto import fingerprint, new_token
from models.base.db import changed
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of

#: How exactly `last_seen_at` is kept: a write per page view would buy nothing.
SEEN_EVERY: Final = timedelta(minutes=1)
ZERO: Final = literal(0)


class Found(NamedTuple):
    """Who a browser's secret belongs to, which session says so, and when and how they proved it."""

    person: Person
    session_id: UUID
    authenticated_at: datetime
    #: Whether they showed a passkey, too.
    is_by_passkey: bool
    #: What was asked for besides.
    besides: int


class Pending(NamedTuple):
    """Who has proven a letter and is still asked for a passkey, and what they came for."""

    person: Person
    session_id: UUID
    intent: Mapping[str, Any]


async def start(
    session: AsyncSession,
    person: Person,
    *,
    method: str,
    user_agent: str,
    ip: str,
    at: datetime,
    intent: Mapping[str, Any] | None = None,
    is_pending: bool = False,
) -> tuple[Session, str]:
    """Begin a session. Returns it with its secret of 256 bits, which nobody can read again.

    One that `is_pending` lasts as long as a letter's link and is nobody's until a passkey has been used.
    """
    token = new_token()
    row = Session(
        token_hash=fingerprint(token),
        person_id=person.id,
        method=method,
        user_agent=user_agent[:500],
        ip=ip,
        created_at=at,
        authenticated_at=at,
        last_seen_at=at,
        is_pending=is_pending,
        intent=dict(intent or {}),
        expires_at=at + (LINK_LIFE if is_pending else lifetime(person.role).whole),
    )
    session.add(row)
    await session.flush()
    changed(session, f"person/{person.id}")
    return row, token


async def find(
    session: AsyncSession, token: str, at: datetime, besides: ColumnElement[int] | ScalarSelect[int] = ZERO
) -> Found | None:
    """The session that this secret opens, or None if it opens none any more.

    Being asked for keeps a session from going idle. `besides` is read of the `Person` in the same round trip.
    """
    query = (
        select(Person, Session.id, Session.authenticated_at, Session.method, Session.last_seen_at, besides)
        .join(Session, Session.person_id == Person.id)
        .where(Session.token_hash == fingerprint(token), *_alive(at))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    person, session_id, authenticated_at, method, last_seen_at, count = row
    if last_seen_at < at - SEEN_EVERY:
        await _seen(session, session_id, at)
    return Found(person, session_id, authenticated_at, method == "passkey", count)


async def find_pending(session: AsyncSession, token: str, at: datetime) -> Pending | None:
    """Who is asked for a passkey in this browser, if anybody is."""
    query = (
        select(Person, Session.id, Session.intent)
        .join(Session, Session.person_id == Person.id)
        .where(Session.token_hash == fingerprint(token), Session.is_pending, *_lasting(at))
    )
    row = (await session.execute(query)).one_or_none()
    return Pending(*row) if row is not None else None


async def list_of(
    session: AsyncSession, person_id: UUID, at: datetime, *, cursor: str | None = None
) -> Page[Session]:
    """Where this person is signed in, the latest sign-in first."""
    query = select(Session).join(Person, Session.person_id == Person.id)
    query = query.where(Session.person_id == person_id, *_alive(at))
    if cursor:
        (before,) = decode_cursor(cursor, UUID)
        query = query.where(Session.id < before)
    rows = (await session.scalars(query.order_by(Session.id.desc()).limit(PAGE_SIZE + 1))).all()
    return page_of(rows, PAGE_SIZE, lambda one: [one.id])


async def is_alive(session: AsyncSession, session_id: UUID, at: datetime) -> bool:
    """Whether this session still opens anything. Asking does not keep it from going idle."""
    query = select(Session.id).join(Person, Session.person_id == Person.id)
    return await session.scalar(query.where(Session.id == session_id, *_alive(at))) is not None


async def proven_by_passkey(
    session: AsyncSession, session_id: UUID, *, person_id: UUID, at: datetime
) -> None:
    """Whoever has this session has made a passkey in it: all that a letter opened for them elsewhere is over."""
    this = Session.id == session_id
    await session.execute(update(Session).where(this).values(method="passkey", authenticated_at=at))
    await _revoke(session, person_id, at, Session.id != session_id, Session.method != "passkey")


async def is_of(session: AsyncSession, session_id: UUID, person_id: UUID) -> bool:
    """Whether this session is, or was, this person's."""
    row = await session.get(Session, session_id)
    return row is not None and row.person_id == person_id


async def revoke(session: AsyncSession, session_id: UUID, *, person_id: UUID, at: datetime) -> bool:
    """End one of this person's sessions. False if there is no such session, or none any more."""
    return await _revoke(session, person_id, at, Session.id == session_id) > 0


async def revoke_all(
    session: AsyncSession, person_id: UUID, *, at: datetime, except_id: UUID | None = None
) -> int:
    """End all of this person's sessions, or all but one. Returns how many that were."""
    others = [Session.id != except_id] if except_id else []
    return await _revoke(session, person_id, at, *others)


async def revoke_token(session: AsyncSession, token: str, at: datetime) -> None:
    """End whatever session this secret opens: a browser that signs in keeps none of before."""
    query = select(Session.person_id).where(Session.token_hash == fingerprint(token))
    if person_id := await session.scalar(query):
        await _revoke(session, person_id, at, Session.token_hash == fingerprint(token))


async def _revoke(session: AsyncSession, person_id: UUID, at: datetime, *which: ColumnElement[bool]) -> int:
    mine = (Session.person_id == person_id, Session.revoked_at.is_(None))
    ended = await session.scalars(
        update(Session).where(*mine, *which).values(revoked_at=at).returning(Session.id)
    )
    count = len(ended.all())
    if count:
        # Pages that this person has open elsewhere hear it and look again whether they may go on.
        changed(session, f"person/{person_id}")
    return count


async def _seen(session: AsyncSession, session_id: UUID, at: datetime) -> None:
    # Ten requests of one page must not wait for each other to write the same minute down.
    free = select(Session.id).where(Session.id == session_id).with_for_update(skip_locked=True)
    await session.execute(
        update(Session).where(Session.id.in_(free.scalar_subquery())).values(last_seen_at=at)
    )


def _alive(at: datetime) -> tuple[ColumnElement[bool], ...]:
    idle = case(
        *((Person.role == role, literal(at - lifetime(role).idle)) for role in Role), else_=literal(at)
    )
    return (~Session.is_pending, Session.last_seen_at > idle, *_lasting(at))


def _lasting(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Session.revoked_at.is_(None), Session.expires_at > at, Person.disabled_at.is_(None))
