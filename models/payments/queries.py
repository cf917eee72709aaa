"""What pages show of payments. Reads only."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow
from models.payments.moves import paid_key
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout, Difference, Dispute


async def own_checkout(session: AsyncSession, checkout_id: UUID, person_id: UUID | None) -> Checkout:
    """The checkout, if it is this person's; else `NotFound`."""
    checkout = await session.get(Checkout, checkout_id)
    if checkout is None or person_id is None or checkout.person_id != person_id:
        raise NotFound
    return checkout


async def receipts(session: AsyncSession, person_id: UUID, cursor: str | None = None) -> Page[Checkout]:
    """The payments of a person, the latest first: what their account page lists as receipts."""
    mine = (Checkout.person_id == person_id, Checkout.payment_state.is_not(None))
    query = select(Checkout).where(*mine).order_by(Checkout.id.desc()).limit(PAGE_SIZE + 1)
    if cursor:
        query = query.where(Checkout.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def disputes_of(session: AsyncSession, checkout_id: UUID) -> Sequence[Dispute]:
    """The disputes of a checkout, the earliest first."""
    query = select(Dispute).where(Dispute.checkout_id == checkout_id).order_by(Dispute.opened_at)
    return (await session.scalars(query)).all()


async def open_disputes(session: AsyncSession) -> Sequence[Checkout]:
    """Payments that are disputed now: each needs somebody to answer at Stripe before its deadline."""
    query = select(Checkout).where(Checkout.payment_state == PaymentState.DISPUTED).order_by(Checkout.id)
    return (await session.scalars(query)).all()


async def differences(session: AsyncSession) -> Sequence[Difference]:
    """What the last comparison with Stripe's books found, the oldest first. Should be empty."""
    return (await session.scalars(select(Difference).order_by(Difference.found_at, Difference.id))).all()


class Aftermath(StrEnum):
    """How far the job is that was left for the moment of payment."""

    NONE = "none"
    UNDER_WAY = "under_way"
    DONE = "done"
    STUCK = "stuck"


async def aftermath(session: AsyncSession, checkout: Checkout) -> Aftermath:
    """Whether what was paid for has come into being. A finished job is forgotten some day, and was done then."""
    if checkout.state is not CheckoutState.PAID:
        return Aftermath.NONE
    mine = (JobRow.subject == checkout.subject, JobRow.unique_key == paid_key(checkout.id))
    query = select(JobRow.state).where(*mine).order_by(JobRow.id.desc()).limit(1)
    state = await session.scalar(query)
    if state in {JobState.DEAD, JobState.CANCELLED}:
        return Aftermath.STUCK
    return Aftermath.UNDER_WAY if state in UNFINISHED else Aftermath.DONE
