"""Leaving: what keeps a person for now, and what is forgotten when they go.

Accounts knows nothing of the parts above it, so each says its own. A part registers with

    @keeps
    async def unfinished(session, person) -> str | None: ...   # why not yet, for the person to read

    @forgets
    async def forget(session, person) -> None: ...             # `person.email` is still the address to forget
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import sessions
from models.accounts.audit import audit
from models.accounts.states import Role
from models.accounts.tables import ApiToken, IdempotencyKey, Passkey, Person, Session, SignInRequest
from models.base.db import changed
from models.base.errors import Conflict
from models.mail.forgetting import forget_address

Keeper = Callable[[AsyncSession, Person], Awaitable[str | None]]
Forgetter = Callable[[AsyncSession, Person], Awaitable[None]]

_KEEPERS: Final[list[Keeper]] = []
_FORGETTERS: Final[list[Forgetter]] = []


def keeps(keeper: Keeper) -> Keeper:
    """Register a reason for which somebody cannot leave yet."""
    _KEEPERS.append(keeper)
    return keeper


def forgets(forgetter: Forgetter) -> Forgetter:
    """Register what a part forgets of somebody who leaves."""
    _FORGETTERS.append(forgetter)
    return forgetter


def nobody(person: Person) -> str:
    """What stands in the place of a forgotten address: nobody's (RFC 2606), and a different one for each."""
    return f"left-{person.id.hex}@deleted.invalid"


async def obstacles(session: AsyncSession, person: Person) -> list[str]:
    """Why this person cannot leave yet: nothing if they can."""
    found = [await keeper(session, person) for keeper in _KEEPERS]
    return [words for words in (await _is_last_admin(session, person), *found) if words]


async def leave(session: AsyncSession, person: Person, at: datetime) -> None:
    """Delete this person's account: their row stays as nobody's, for payments that the law makes us keep.

    Raises `Conflict`, saying why, while something of theirs is unfinished.
    """
    # Held, so that no order begins between the question and the deed.
    person = await session.get_one(Person, person.id, with_for_update=True, populate_existing=True)
    if reasons := await obstacles(session, person):
        raise Conflict(" ".join(reasons))
    for forgetter in _FORGETTERS:
        await forgetter(session, person)
    await forget_address(session, person.email, nobody(person))
    await sessions.revoke_all(session, person.id, at=at)
    for table in (Session, Passkey, ApiToken, IdempotencyKey):
        await session.execute(delete(table).where(table.person_id == person.id))
    await session.execute(delete(SignInRequest).where(SignInRequest.email == person.email))
    await audit(session, person, "account.deleted", f"person/{person.id}")
    person.email, person.role = nobody(person), Role.CUSTOMER
    person.disabled_at = person.erased_at = at
    await session.flush()
    changed(session, f"person/{person.id}")


async def _is_last_admin(session: AsyncSession, person: Person) -> str | None:
    if person.role is not Role.ADMIN:
        return None
    others = (Person.role == Role.ADMIN, Person.disabled_at.is_(None), Person.id != person.id)
    if await session.scalar(select(func.count()).select_from(Person).where(*others)):
        return None
    return "You are the only admin. Make somebody else an admin first."
