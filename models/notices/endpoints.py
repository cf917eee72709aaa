"""Looking after the systems that hear of events. Every change is audited; a secret is shown once, by its maker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import new_id
from models.base.errors import Invalid, NotFound
from models.notices.events import EVENTS
from models.notices.rules import OVERLAP, url_problem
from models.notices.signing import new_secret
from models.notices.tables import Endpoint


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an endpoint should be. `events` are names of `events.EVENTS`; none is every event."""

    url: str
    words: str
    events: Sequence[str]


async def endpoint(session: AsyncSession, endpoint_id: UUID, *, is_held: bool = False) -> Endpoint:
    """One endpoint. Raises `NotFound`."""
    found = await session.get(Endpoint, endpoint_id, with_for_update=is_held)
    if found is None:
        raise NotFound("There is no such endpoint.")
    return found


async def add_endpoint(
    session: AsyncSession, admin: Person, wanted: Wanted, keys: Keys, allowed: tuple[str, ...]
) -> tuple[Endpoint, str]:
    """Add one. Returns it with its secret, which nobody can read again. Raises `Invalid`."""
    _check(wanted, allowed)
    secret = new_secret()
    made = Endpoint(
        id=new_id(),
        url=wanted.url,
        words=wanted.words,
        events=list(wanted.events),
        sealed_secret=keys.seal(secret.encode()),
    )
    session.add(made)
    await session.flush()
    await audit(session, admin, "webhook.added", f"webhook/{made.id}", url=wanted.url)
    return made, secret


async def change_endpoint(
    session: AsyncSession, admin: Person, endpoint_id: UUID, wanted: Wanted, allowed: tuple[str, ...]
) -> None:
    """Let it be as wanted from the next attempt on. Raises `Invalid`, `NotFound`."""
    _check(wanted, allowed)
    found = await endpoint(session, endpoint_id, is_held=True)
    found.url, found.words, found.events = wanted.url, wanted.words, list(wanted.events)
    await audit(session, admin, "webhook.changed", f"webhook/{found.id}", url=wanted.url)


async def rotate_secret(session: AsyncSession, admin: Person, endpoint_id: UUID, keys: Keys) -> str:
    """Give it another secret and return that. The one before signs as well for a day."""
    found = await endpoint(session, endpoint_id, is_held=True)
    secret = new_secret()
    found.sealed_old_secret, found.old_secret_until = found.sealed_secret, now() + OVERLAP
    found.sealed_secret = keys.seal(secret.encode())
    await audit(session, admin, "webhook.secret_rotated", f"webhook/{found.id}")
    return secret


async def switch(session: AsyncSession, admin: Person, endpoint_id: UUID, *, is_on: bool) -> None:
    """Send to it again, or no more. What happens while it is off is not sent later."""
    found = await endpoint(session, endpoint_id, is_held=True)
    at: datetime | None = None if is_on else now()
    found.disabled_at, found.disabled_because = at, None if is_on else "an admin switched it off"
    found.failing_since = None
    await audit(session, admin, "webhook.enabled" if is_on else "webhook.disabled", f"webhook/{found.id}")


async def remove_endpoint(session: AsyncSession, admin: Person, endpoint_id: UUID) -> None:
    """Delete it with the log of its deliveries."""
    found = await endpoint(session, endpoint_id, is_held=True)
    await session.delete(found)
    await audit(session, admin, "webhook.removed", f"webhook/{endpoint_id}", url=found.url)


def _check(wanted: Wanted, allowed: tuple[str, ...]) -> None:
    problems = {}
    if words := url_problem(wanted.url, allowed):
        problems["url"] = words
    if unknown := set(wanted.events) - set(EVENTS):
        problems["events"] = f"There is no event {', '.join(sorted(unknown))}."
    if problems:
        raise Invalid(problems)
