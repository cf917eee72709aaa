"""Telling people in their inboxes, and other systems by webhook: in the caller's transaction, so that nothing is told
of what never happened.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, new_id
from models.base.states import move
from models.jobs import enqueue
from models.jobs.limits import host_key
from models.notices.events import EVENTS
from models.notices.jobs import DeliverWebhook, FailDelivery
from models.notices.states import MOVES, DeliveryState
from models.notices.tables import Delivery, Endpoint, Notice


def inbox(person_id: UUID) -> str:
    """The topic of what a person's inbox shows."""
    return f"inbox/{person_id}"


def about(delivery_id: UUID) -> str:
    """The subject of the jobs that send a delivery."""
    return f"delivery/{delivery_id}"


async def notify(
    session: AsyncSession, person_id: UUID, title: str, body: str = "", *, link: str | None = None
) -> Notice:
    """Put a notice into a person's inbox. `link` is a path of ours."""
    notice = Notice(id=new_id(), person_id=person_id, title=title, body=body, link=link)
    session.add(notice)
    changed(session, inbox(person_id))
    return notice


async def mark_read(session: AsyncSession, person_id: UUID, notice_id: UUID | None = None) -> None:
    """A person has read one of their notices, or all of them."""
    mine = [Notice.person_id == person_id, Notice.read_at.is_(None)]
    if notice_id is not None:
        mine.append(Notice.id == notice_id)
    await session.execute(update(Notice).where(*mine).values(read_at=now()))
    changed(session, inbox(person_id))


async def announce(session: AsyncSession, event: str, data: Mapping[str, Any]) -> int:
    """Send `event` to every endpoint that hears of it; returns to how many. `data` is JSON without secrets.

    Raises `KeyError` for an event that `events.EVENTS` does not name.
    """
    if event not in EVENTS:
        raise KeyError(event)
    wanted = or_(Endpoint.events == [], Endpoint.events.contains([event]))
    found = await session.scalars(select(Endpoint).where(Endpoint.disabled_at.is_(None), wanted))
    return len([await send(session, one, event, data) for one in found.all()])


async def send(session: AsyncSession, endpoint: Endpoint, event: str, data: Mapping[str, Any]) -> Delivery:
    """Send `event` to this endpoint, whatever it hears of."""
    payload = {"type": event, "timestamp": now().isoformat(), "data": dict(data)}
    delivery = Delivery(id=new_id(), endpoint_id=endpoint.id, event=event, payload=payload)
    session.add(delivery)
    await session.flush()
    await _deliver(session, delivery, endpoint)
    return delivery


async def send_again(session: AsyncSession, delivery: Delivery, endpoint: Endpoint) -> None:
    """Send it once more; its receiver knows it by its `webhook-id`. Raises `Conflict` while it is on its way."""
    delivery.state = move(MOVES, delivery.state, DeliveryState.WAITING)
    await _deliver(session, delivery, endpoint)


async def _deliver(session: AsyncSession, delivery: Delivery, endpoint: Endpoint) -> None:
    await enqueue(
        session,
        DeliverWebhook(delivery_id=delivery.id),
        subject=about(delivery.id),
        when_dead=FailDelivery(delivery_id=delivery.id),
        limit=host_key(endpoint.url),
    )
