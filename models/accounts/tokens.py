"""API tokens: what a program shows to act in a person's stead, within the scopes that it was given."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit, audit_rarely
from models.accounts.states import Role, Scope
from models.accounts.tables import ApiToken, Passkey, Person
from models.base.crypto import fingerprint, new_token
from models.base.db import new_id
from models.base.errors import Conflict, Forbidden, Invalid, NotFound

#: So that a token is known for one wherever it turns up: in a log, in a repository that is searched for secrets.
PREFIX: Final = "glt_"
#: Characters of a token that are kept to know it by; the 224 bits behind them are not.
SHOWN: Final = len(PREFIX) + 6
MOST: Final = 20
#: What a token's life may be chosen from, in days.
LIVES: Final = (7, 30, 90, 365)
#: The longest life of a token that does what admins do: it refunds and publishes without asking who it is again.
LONGEST_FOR_ADMINS: Final = timedelta(days=90)
#: How exactly `last_used_at` is kept.
USED_EVERY: Final = timedelta(minutes=1)
_NAMED: Final = (
    "You have a token with this name. Choose another one; or, if you have just made it and not seen its secret,"
    " revoke it first."
)
_HAS_PASSKEY: Final = exists().where(Passkey.person_id == Person.id)


class TokenFound(NamedTuple):
    """Whose token it is, and what it opens at present."""

    person: Person
    token_id: UUID
    scopes: frozenset[Scope]
    #: Whether its owner works here and has no passkey.
    lacks_passkey: bool


async def make_token(
    session: AsyncSession,
    person: Person,
    *,
    name: str,
    scopes: Sequence[Scope],
    life: timedelta,
    at: datetime,
) -> tuple[ApiToken, str]:
    """Make a token. Returns it with its secret, which nobody can read again.

    Raises `Forbidden` for a scope that the person's role does not allow, `Invalid` for a life too long for its
    scopes and for a name that a living token has, as that of one asked for twice, `Conflict` at twenty living tokens.
    """
    if beyond := [scope.value for scope in scopes if not person.role.includes(scope.role)]:
        raise Forbidden(f"Your role does not allow {', '.join(beyond)}.")
    if life > LONGEST_FOR_ADMINS and any(scope.role is Role.ADMIN for scope in scopes):
        days = LONGEST_FOR_ADMINS.days
        raise Invalid({"life": f"A token with an admin's scopes works for {days} days at most."})
    # Held, so that of two at once the second sees the first.
    await session.execute(select(Person.id).where(Person.id == person.id).with_for_update(key_share=True))
    living = _living(at, ApiToken.person_id == person.id)
    names = (await session.scalars(select(ApiToken.name).where(*living))).all()
    if name in names:
        raise Invalid({"name": _NAMED})
    if len(names) >= MOST:
        raise Conflict(f"You have {MOST} tokens. Revoke one that you do not use any more.")
    secret = PREFIX + new_token()
    row = ApiToken(
        id=new_id(),
        person_id=person.id,
        name=name,
        prefix=secret[:SHOWN],
        token_hash=fingerprint(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        created_at=at,
        expires_at=at + life,
    )
    session.add(row)
    await session.flush()
    await audit(session, person, "token.made", f"person/{person.id}", token=str(row.id), prefix=row.prefix)
    return row, secret


async def find_token(session: AsyncSession, secret: str, at: datetime) -> TokenFound | None:
    """Whose token this is, or None if it is nobody's, or not any more.

    What the owner's role does not allow today is not opened, whatever the token was made for.
    """
    query = (
        select(Person, ApiToken.id, ApiToken.scopes, ApiToken.last_used_at, _HAS_PASSKEY)
        .join(ApiToken, ApiToken.person_id == Person.id)
        .where(ApiToken.token_hash == fingerprint(secret), *_living(at), Person.disabled_at.is_(None))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    person, token_id, scopes, last_used_at, has_passkey = row
    if last_used_at is None or last_used_at < at - USED_EVERY:
        await _used(session, token_id, at)
    held = (Scope(scope) for scope in scopes)
    opened = frozenset(one for one in held if person.role.includes(one.role))
    return TokenFound(person, token_id, opened, person.role.is_staff and not has_passkey)


async def note_refusal(session: AsyncSession, secret: str, *, missing: Scope | None, at: datetime) -> None:
    """Write down that this secret opened nothing, or not what wants the scope `missing`.

    Once an hour for each token, and once an hour for all that are no tokens of ours.
    """
    query = select(ApiToken, Person).join(Person, Person.id == ApiToken.person_id)
    row = (await session.execute(query.where(ApiToken.token_hash == fingerprint(secret)))).one_or_none()
    subject = f"token/{row.ApiToken.id if row else 'unknown'}"
    if row is None:
        await audit_rarely(session, "program", "token.refused", subject, at=at)
    else:
        token, owner = row
        why = _why_not(token, owner, missing, at)
        scope = missing.value if missing else None
        detail = {"why": why, "scope": scope, "prefix": token.prefix}
        await audit_rarely(session, owner, "token.refused", subject, at=at, **detail)


def _why_not(token: ApiToken, owner: Person, missing: Scope | None, at: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= at:
        return "expired"
    if owner.disabled_at is not None:
        return "closed"
    return "scope" if missing else "no passkey"


async def is_alive(session: AsyncSession, token_id: UUID, at: datetime) -> bool:
    """Whether a token that was found a while ago would be found now."""
    query = select(ApiToken.id).join(Person, Person.id == ApiToken.person_id)
    living = _living(at, ApiToken.id == token_id, Person.disabled_at.is_(None))
    return await session.scalar(query.where(*living)) is not None


async def tokens_of(session: AsyncSession, person_id: UUID, at: datetime) -> Sequence[ApiToken]:
    """A person's living tokens, the newest first: at most `MOST`."""
    query = select(ApiToken).where(*_living(at, ApiToken.person_id == person_id))
    return (await session.scalars(query.order_by(ApiToken.id.desc()).limit(MOST))).all()


async def revoke_token(
    session: AsyncSession, person: Person, token_id: UUID, *, at: datetime
) -> ApiToken | None:
    """End one of this person's tokens at once. None if it had ended already; `NotFound` if it is not theirs."""
    token = await session.get(ApiToken, token_id, with_for_update=True)
    if token is None or token.person_id != person.id:
        raise NotFound("There is no such token.")
    if token.revoked_at is not None:
        return None
    token.revoked_at = at
    await audit(session, person, "token.revoked", f"person/{person.id}", token=str(token_id))
    return token


async def revoke_all(session: AsyncSession, person_id: UUID, *, at: datetime) -> int:
    """End all of this person's tokens. Returns how many that were."""
    ended = update(ApiToken).where(*_living(at, ApiToken.person_id == person_id)).values(revoked_at=at)
    return len((await session.scalars(ended.returning(ApiToken.id))).all())


async def _used(session: AsyncSession, token_id: UUID, at: datetime) -> None:
    # A program's ten requests at once must not wait for each other to write the same minute down.
    free = select(ApiToken.id).where(ApiToken.id == token_id).with_for_update(skip_locked=True)
    await session.execute(
        update(ApiToken).where(ApiToken.id.in_(free.scalar_subquery())).values(last_used_at=at)
    )


def _living(at: datetime, *more: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (ApiToken.revoked_at.is_(None), ApiToken.expires_at > at, *more)
