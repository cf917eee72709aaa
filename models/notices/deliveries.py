"""What becomes of a webhook on its way, and of an endpoint at which nothing arrives."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.errors import NotFound
from models.base.states import move
from models.notices.actions import notify
from models.notices.rules import PATIENCE, gives_up
from models.notices.states import MOVES, DeliveryState
from models.notices.tables import Delivery, Endpoint

#: Characters of an answer, or of what went wrong, that are kept.
EXCERPT: Final = 1000
#: Characters of it that the line of each attempt keeps.
LOGGED: Final = 200
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with an HTTP status and the beginning of the answer, or with why there was none."""

    status: int | None
    words: str
    took: timedelta

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it now: any 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - that is what 2xx means

    @property
    def line(self) -> str:
        """The attempt in one line, for the log of its job: what was answered, after how long, and how it begins."""
        words = " ".join(self.words.split())[:LOGGED]
        return f"{self.status or 'No answer'} after {self.took // timedelta(milliseconds=1):,} ms: {words}"


async def under_way(session: AsyncSession, delivery_id: UUID) -> tuple[Delivery, Endpoint]:
    """A delivery and where it goes, held until this transaction ends. Raises `NotFound` once its endpoint is deleted."""
    query = select(Delivery, Endpoint).join(Endpoint, Endpoint.id == Delivery.endpoint_id)
    row = (await session.execute(query.where(Delivery.id == delivery_id).with_for_update())).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    return row[0], row[1]


def secrets_of(endpoint: Endpoint, keys: Keys, at: datetime) -> list[str]:
    """What signs for this endpoint now, the newest first."""
    sealed = [endpoint.sealed_secret]
    if endpoint.sealed_old_secret and endpoint.old_secret_until and at < endpoint.old_secret_until:
        sealed.append(endpoint.sealed_old_secret)
    return [keys.unseal(one).decode() for one in sealed]


async def was_tried(
    session: AsyncSession, delivery_id: UUID, outcome: Outcome, at: datetime, *, is_last: bool
) -> DeliveryState:
    """Write an attempt down, and return where that leaves the delivery.

    An endpoint that says 410 Gone, or takes nothing for `PATIENCE`, is switched off, and admins are told.
    """
    delivery, endpoint = await under_way(session, delivery_id)
    delivery.attempts += 1
    delivery.tried_at, delivery.took_ms = at, outcome.took // timedelta(milliseconds=1)
    delivery.status, delivery.answer = outcome.status, outcome.words[:EXCERPT]
    if outcome.is_taken:
        endpoint.failing_since = None
        delivery.state = move(MOVES, delivery.state, DeliveryState.DELIVERED)
        return delivery.state
    endpoint.failing_since = endpoint.failing_since or at
    if endpoint.disabled_at is None and outcome.status == GONE:
        await _switch_off(session, endpoint, at, "it answers that it is gone (410)")
    elif endpoint.disabled_at is None and gives_up(endpoint.failing_since, at):
        await _switch_off(session, endpoint, at, f"nothing has arrived there for {PATIENCE.days} days")
    if is_last or endpoint.disabled_at is not None:
        delivery.state = move(MOVES, delivery.state, DeliveryState.FAILED)
    return delivery.state


async def _switch_off(session: AsyncSession, endpoint: Endpoint, at: datetime, why: str) -> None:
    endpoint.disabled_at, endpoint.disabled_because = at, why
    await audit(session, "system", "webhook.disabled", f"webhook/{endpoint.id}")
    admins = select(Person.id).where(Person.role == Role.ADMIN, Person.disabled_at.is_(None))
    for admin in (await session.scalars(admins)).all():
        words = f"{endpoint.url} is not sent anything any more: {why}."
        await notify(
            session, admin, "A webhook was switched off", words, link=f"/admin/webhooks/{endpoint.id}"
        )
