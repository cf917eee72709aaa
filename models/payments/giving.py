"""Giving money back: each refund once, whatever answers are lost on the way."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import update

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import Database
from models.base.errors import NotFound, Temporary
from models.payments.facts import RefundFacts
from models.payments.ledger import gone_cents, move_refund, refunds_of, settle
from models.payments.moves import hold
from models.payments.refund_sync import sync_refunds
from models.payments.rules import refund_state
from models.payments.states import PaymentState, RefundState
from models.payments.stripe import PaymentRefused, Stripe
from models.payments.tables import Checkout, Refund

log = structlog.get_logger(__name__)

#: How long a refund waits before it asks again whether a dispute is over.
DISPUTE_PAUSE: Final = timedelta(hours=6)


async def give_refund(database: Database, stripe: Stripe, refund_id: UUID) -> timedelta | None:
    """Give the money of one refund back. Returns how long to wait if it cannot be done yet.

    Looks first and asks then: an answer that was lost more than a day ago is not covered by the idempotency key
    any more, but what it made is in the list. Looks once more in the end, so that whatever happened meanwhile is
    written down.
    """
    async with database.transaction() as session:
        refund = await session.get(Refund, refund_id)
        if refund is None:
            raise NotFound
        checkout = await session.get_one(Checkout, refund.checkout_id)
    if refund.state is not RefundState.ASKED:
        return None
    if checkout.payment_state is PaymentState.DISPUTED:
        return DISPUTE_PAUSE
    intent_id = checkout.payment_intent_id
    assert intent_id is not None, "money was captured"
    left = await _look(database, stripe, refund, intent_id)
    if left is None:
        return None
    if checkout.payment_state is PaymentState.DISPUTE_LOST:
        await _could_not(database, refund, "The dispute was lost: the money has gone back that way.")
    elif left <= 0:
        await _was_given(database, refund)
    else:
        try:
            await _give(stripe, refund, intent_id, min(left, refund.amount_cents))
            crash_point("after Stripe took a refund, before it is noted")
        except PaymentRefused as refused:
            if pause := await _refused(database, refund, refused):
                return pause
    await _look(database, stripe, refund, intent_id)
    return None


async def _look(database: Database, stripe: Stripe, refund: Refund, intent_id: str) -> int | None:
    """Write down what Stripe has given back of the payment. Returns how much of it can still be given for this
    refund, in cents; None if it turns out not to be wanted any more.
    """
    given = await stripe.list_refunds(intent_id=intent_id)
    async with database.transaction() as session:
        basket = await sync_refunds(session, refund.checkout_id, given)
        rows = await refunds_of(session, refund.checkout_id)
    if not any(one.id == refund.id and one.state is RefundState.ASKED for one in rows):
        return None
    taken = {one.id: one.captured_cents for one in basket}
    # Somebody may have refunded by hand what is written down for none of the basket yet.
    given_cents = sum(one.amount_cents for one in given if refund_state(one.status) is not RefundState.FAILED)
    return min(taken[refund.checkout_id] - gone_cents(rows), sum(taken.values()) - given_cents)


async def _give(stripe: Stripe, refund: Refund, intent_id: str, amount_cents: int) -> RefundFacts:
    first = refund.attempt == 1
    return await stripe.create_refund(
        key=f"refund:{refund.id}" if first else f"refund:{refund.id}:{refund.attempt}",
        intent_id=intent_id,
        amount_cents=amount_cents,
        metadata={
            "checkout_id": str(refund.checkout_id),
            "refund_id": str(refund.id),
            "attempt": str(refund.attempt),
            "kind": refund.kind,
        },
    )


async def _refused(database: Database, refund: Refund, refused: PaymentRefused) -> timedelta | None:
    if refused.code == "charge_disputed":
        # The event that says so is on its way. Stripe keeps its answers, so the next asking needs another key.
        async with database.transaction() as session:
            same = (Refund.id == refund.id, Refund.attempt == refund.attempt)
            await session.execute(update(Refund).where(*same).values(attempt=refund.attempt + 1))
        return DISPUTE_PAUSE
    if refused.code == "charge_already_refunded":
        # By hand, since we looked. Whether it was this part of the payment, the next look tells.
        raise Temporary(str(refused)) from refused
    await _could_not(database, refund, str(refused))
    return None


async def _was_given(database: Database, refund: Refund) -> None:
    """Somebody else gave the money back: what was asked for is true, and their refund has a row of its own."""
    done = {"amount_cents": 0, "problem": "It had been refunded already.", "settled_at": now()}
    async with database.transaction() as session:
        checkout = await hold(session, refund.checkout_id)
        await move_refund(session, refund, RefundState.SUCCEEDED, **done)
        await settle(session, checkout)


async def _could_not(database: Database, refund: Refund, reason: str) -> None:
    log.error(
        "payments.refund_failed", refund=str(refund.id), checkout=str(refund.checkout_id), reason=reason
    )
    async with database.transaction() as session:
        checkout = await hold(session, refund.checkout_id)
        await move_refund(session, refund, RefundState.FAILED, problem=reason, settled_at=now())
        await settle(session, checkout)
