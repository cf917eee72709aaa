"""Looking into inboxes, and into the log of webhooks."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Endpoint, Notice


async def notices_of(session: AsyncSession, person_id: UUID, cursor: str | None = None) -> Page[Notice]:
    """A page of a person's notices, the latest first. Raises `Invalid` for a cursor that we did not make."""
    query = (
        select(Notice).where(Notice.person_id == person_id).order_by(Notice.id.desc()).limit(PAGE_SIZE + 1)
    )
    if cursor:
        query = query.where(Notice.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def notice_of(session: AsyncSession, person_id: UUID, notice_id: UUID) -> Notice:
    """One of a person's notices. Raises `NotFound`."""
    query = select(Notice).where(Notice.id == notice_id, Notice.person_id == person_id)
    found = (await session.scalars(query)).one_or_none()
    if found is None:
        raise NotFound
    return found


def unread_by(person_id: UUID | InstrumentedAttribute[UUID]) -> ScalarSelect[int]:
    """How many of a person's notices were not read, as a part of a query."""
    mine = (Notice.person_id == person_id, Notice.read_at.is_(None))
    return select(func.count()).select_from(Notice).where(*mine).scalar_subquery()


async def unread(session: AsyncSession, person_id: UUID) -> int:
    """How many of a person's notices were not read."""
    return await session.scalar(select(unread_by(person_id))) or 0


async def endpoints(session: AsyncSession, cursor: str | None = None) -> Page[Endpoint]:
    """A page of endpoints, the latest first."""
    query = select(Endpoint).order_by(Endpoint.id.desc()).limit(PAGE_SIZE + 1)
    if cursor:
        query = query.where(Endpoint.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def deliveries(
    session: AsyncSession, endpoint_id: UUID, *, cursor: str | None = None, state: DeliveryState | None = None
) -> Page[Delivery]:
    """A page of what was sent to an endpoint, the latest first."""
    query = select(Delivery).where(Delivery.endpoint_id == endpoint_id).order_by(Delivery.id.desc())
    if state is not None:
        query = query.where(Delivery.state == state)
    if cursor:
        query = query.where(Delivery.id < decode_cursor(cursor, UUID)[0])
    rows: Sequence[Delivery] = (await session.scalars(query.limit(PAGE_SIZE + 1))).all()
    return page_of(rows, PAGE_SIZE, lambda one: [one.id])


async def delivery(session: AsyncSession, delivery_id: UUID) -> tuple[Delivery, Endpoint]:
    """A delivery as it is, and where it goes. Raises `NotFound`."""
    query = select(Delivery, Endpoint).join(Endpoint, Endpoint.id == Delivery.endpoint_id)
    row = (await session.execute(query.where(Delivery.id == delivery_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    return row[0], row[1]
