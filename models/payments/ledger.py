"""The refunds of one checkout: their rows, their moves, and what they add up to."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.states import sources
from models.payments.invoices import follow_refunds
from models.payments.moves import hold, move_payment
from models.payments.rules import payment_state
from models.payments.states import PAYMENT_MOVES, REFUND_MOVES, PaymentState, RefundState
from models.payments.tables import Checkout, Refund

#: Held by the bank, or taken by it: refunds neither change this nor are given.
DISPUTED: Final = frozenset({PaymentState.DISPUTED, PaymentState.DISPUTE_LOST})
_COMING: Final = frozenset({RefundState.ASKED, RefundState.PENDING})


async def refunds_of(session: AsyncSession, checkout_id: UUID) -> Sequence[Refund]:
    """The checkout's refunds as they stand now, in the order in which they were asked for."""
    query = select(Refund).where(Refund.checkout_id == checkout_id).order_by(Refund.created_at, Refund.id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


def gone_cents(refunds: Sequence[Refund]) -> int:
    """What Stripe has given back of a checkout or is about to: not what was only asked for, nor what came back."""
    return sum(one.amount_cents for one in refunds if one.stripe_id and one.state is not RefundState.FAILED)


async def move_refund(
    session: AsyncSession, refund: Refund, there: RefundState, **values: Any
) -> Refund | None:
    """Move a refund along its drawing, if it is still the attempt that we looked at. None if it is not."""
    statement = (
        update(Refund)
        .where(
            Refund.id == refund.id,
            Refund.attempt == refund.attempt,
            Refund.state.in_(sources(REFUND_MOVES, there)),
        )
        .values(state=there, **values)
        .returning(Refund)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def settle(session: AsyncSession, checkout: Checkout) -> Checkout:
    """Add up the refunds, write their credit notes, and move the payment to what that makes of it.

    A dispute is not moved by refunds.
    """
    rows = await refunds_of(session, checkout.id)
    refunded = sum(one.amount_cents for one in rows if one.state is RefundState.SUCCEEDED)
    await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(refunded_cents=refunded))
    changed(session, f"checkout/{checkout.id}")
    await follow_refunds(session, checkout, rows)
    here = checkout.payment_state
    coming = any(one.state in _COMING for one in rows)
    there = payment_state(checkout.captured_cents, refunded, is_refund_under_way=coming)
    if here is not None and here not in DISPUTED and there in PAYMENT_MOVES[here]:
        await move_payment(session, checkout.id, there)
    return await hold(session, checkout.id)
