"""Addresses that are not written to. Writing on to them costs the account its good name with every mail provider."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, page_of, word
from models.mail.rules import address_key
from models.mail.states import SuppressionReason
from models.mail.tables import Suppression


async def suppress(
    session: AsyncSession,
    address: str,
    reason: SuppressionReason,
    *,
    detail: str | None,
    letter_id: UUID | None,
    at: datetime,
) -> None:
    """Write to this address no more. What is known already takes the newer reason."""
    row = {
        "address": address_key(address),
        "reason": reason,
        "detail": detail,
        "letter_id": letter_id,
        "created_at": at,
    }
    newer = {name: value for name, value in row.items() if name != "address"}
    written = insert(Suppression).values(row)
    await session.execute(written.on_conflict_do_update(index_elements=["address"], set_=newer))
    changed(session, "mail")


async def lift_suppression(session: AsyncSession, address: str) -> Suppression | None:
    """Write to this address again. Returns why it was not written to; None if it was."""
    mine = Suppression.address == address_key(address)
    lifted = (await session.scalars(delete(Suppression).where(mine).returning(Suppression))).one_or_none()
    if lifted is not None:
        changed(session, "mail")
    return lifted


async def suppression_of(session: AsyncSession, address: str) -> Suppression | None:
    """Why this address is not written to, if it is not."""
    query = select(Suppression).where(Suppression.address == address_key(address))
    return (await session.scalars(query)).one_or_none()


async def suppressions(
    session: AsyncSession, *, search: str = "", cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Suppression]:
    """A page of suppressed addresses that begin with `search`, the latest first."""
    key = tuple_(Suppression.created_at, Suppression.address)
    query = select(Suppression).order_by(Suppression.created_at.desc(), Suppression.address.desc())
    if search:
        query = query.where(Suppression.address.startswith(address_key(search), autoescape=True))
    if cursor:
        query = query.where(key < tuple_(*decode_cursor(cursor, instant, word)))
    rows: Sequence[Suppression] = (await session.scalars(query.limit(size + 1))).all()
    return page_of(rows, size, lambda row: [row.created_at, row.address])


async def count_suppressions(session: AsyncSession) -> int:
    """How many addresses are not written to."""
    return (await session.execute(select(func.count()).select_from(Suppression))).scalar_one()
