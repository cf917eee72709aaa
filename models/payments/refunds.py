"""Asking for money to be given back: once for each reason, and never more than there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed, new_id
from models.base.errors import Conflict, NotFound
from models.jobs import enqueue
from models.payments.jobs import GiveRefund
from models.payments.ledger import DISPUTED, move_refund, refunds_of
from models.payments.moves import hold, move_payment
from models.payments.states import PaymentState, RefundState
from models.payments.tables import Checkout, Refund

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refundable:
    """How much of a payment could be given back now, and why nothing can, if nothing can."""

    left_cents: int
    obstacle: str | None


async def refundable(session: AsyncSession, checkout_id: UUID) -> Refundable:
    """Whether a refund could be asked for: what a page shows beside its button."""
    checkout = await session.get(Checkout, checkout_id)
    if checkout is None:
        raise NotFound
    return _refundable(checkout, await refunds_of(session, checkout_id))


async def ask_refund(
    session: AsyncSession,
    checkout_id: UUID,
    kind: str,
    amount_cents: int | None = None,
    asked_by: UUID | None = None,
) -> Refund | None:
    """Ask for money to be given back: `amount_cents`, or everything that is left.

    Asking twice for one kind gives back once and returns the first refund; one that has failed is tried again.
    Returns None when nothing can be given back: the payment is disputed, or nothing of it is left. Raises
    `Conflict` for more than is left, and for a checkout on which nothing was paid.
    """
    checkout = await hold(session, checkout_id)
    if checkout.payment_state is None:
        raise Conflict("Nothing was paid, so nothing can be refunded.")
    refunds = await refunds_of(session, checkout_id)
    same = next((one for one in refunds if one.kind == kind), None)
    if same and same.state is not RefundState.FAILED:
        return same
    can = _refundable(checkout, refunds)
    if can.obstacle:
        log.warning("payments.not_refunded", checkout=str(checkout_id), kind=kind, reason=can.obstacle)
        return None
    wanted = can.left_cents if amount_cents is None else amount_cents
    if not 0 < wanted <= can.left_cents:
        raise Conflict("That is more than what is left of this payment.")
    refund = await _write_down(session, checkout, same, kind, wanted, asked_by)
    await move_payment(session, checkout_id, PaymentState.REFUND_PENDING)
    await enqueue(
        session, GiveRefund(refund_id=refund.id), unique=refund_key(refund.id), subject=checkout.subject
    )
    changed(session, f"checkout/{checkout_id}")
    return refund


async def _write_down(
    session: AsyncSession,
    checkout: Checkout,
    failed: Refund | None,
    kind: str,
    amount_cents: int,
    asked_by: UUID | None,
) -> Refund:
    if failed is None:
        refund = Refund(
            id=new_id(),
            checkout_id=checkout.id,
            kind=kind,
            amount_cents=amount_cents,
            currency=checkout.captured_currency or checkout.currency,
            state=RefundState.ASKED,
            asked_by=asked_by,
        )
        session.add(refund)
        await session.flush()
        return refund
    again = {"attempt": failed.attempt + 1, "stripe_id": None, "problem": None, "settled_at": None}
    moved = await move_refund(session, failed, RefundState.ASKED, amount_cents=amount_cents, **again)
    assert moved is not None, "it has failed, and its checkout is locked"
    return moved


def _refundable(checkout: Checkout, refunds: Sequence[Refund]) -> Refundable:
    """What is left: everything captured, without what went back or is about to."""
    gone = sum(one.amount_cents for one in refunds if one.state is not RefundState.FAILED)
    left = max(0, checkout.captured_cents - gone)
    if checkout.payment_state is None:
        return Refundable(0, "Nothing was paid.")
    if checkout.payment_state in DISPUTED:
        return Refundable(0, "The payment is disputed. Its money is held until the bank has decided.")
    return Refundable(left, None if left else "Everything has been refunded.")


def refund_key(refund_id: UUID) -> str:
    """The unique key of the job that gives a refund."""
    return f"refund/{refund_id}"
