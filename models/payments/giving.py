"""Giving money back: each refund once, whatever answers are lost on the way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import update

from models.base.clock import now
from models.base.db import Database
from models.base.errors import NotFound
from models.payments.facts import RefundFacts
from models.payments.ledger import move_refund, settle
from models.payments.moves import hold
from models.payments.refund_sync import is_of, sync_refunds
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
    any more, but what it made is in the list.
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
    if checkout.payment_state is PaymentState.DISPUTE_LOST:
        await _could_not(database, refund, "The dispute was lost: the money has gone back that way.")
        return None
    intent_id = checkout.payment_intent_id
    assert intent_id is not None, "money was captured"
    given = await stripe.list_refunds(intent_id=intent_id)
    if not any(is_of(one, refund) for one in given):
        # In the meantime somebody may have refunded by hand.
        left = checkout.captured_cents - sum(one.amount_cents for one in given if _counts(one))
        if left <= 0:
            await _was_given(database, refund, given)
            return None
        try:
            given = [await _give(stripe, refund, intent_id, min(left, refund.amount_cents)), *given]
        except PaymentRefused as refused:
            return await _refused(database, stripe, refund, intent_id, refused)
    async with database.transaction() as session:
        await sync_refunds(session, checkout.id, given)
    return None


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


async def _refused(
    database: Database, stripe: Stripe, refund: Refund, intent_id: str, refused: PaymentRefused
) -> timedelta | None:
    if refused.code == "charge_disputed":
        # The event that says so is on its way. Stripe keeps its answers, so the next asking needs another key.
        async with database.transaction() as session:
            same = (Refund.id == refund.id, Refund.attempt == refund.attempt)
            await session.execute(update(Refund).where(*same).values(attempt=refund.attempt + 1))
        return DISPUTE_PAUSE
    if refused.code != "charge_already_refunded":
        await _could_not(database, refund, str(refused))
        return None
    await _was_given(database, refund, await stripe.list_refunds(intent_id=intent_id))
    return None


async def _was_given(database: Database, refund: Refund, given: Sequence[RefundFacts]) -> None:
    """Somebody else gave the money back: what was asked for is true, and their refund has a row of its own."""
    done = {"amount_cents": 0, "problem": "It had been refunded already.", "settled_at": now()}
    async with database.transaction() as session:
        checkout = await hold(session, refund.checkout_id)
        await move_refund(session, refund, RefundState.SUCCEEDED, **done)
        await sync_refunds(session, checkout.id, given)


async def _could_not(database: Database, refund: Refund, reason: str) -> None:
    log.error(
        "payments.refund_failed", refund=str(refund.id), checkout=str(refund.checkout_id), reason=reason
    )
    async with database.transaction() as session:
        checkout = await hold(session, refund.checkout_id)
        await move_refund(session, refund, RefundState.FAILED, problem=reason, settled_at=now())
        await settle(session, checkout)


def _counts(facts: RefundFacts) -> bool:
    """Whether the refund's money is gone or going."""
    return refund_state(facts.status) is not RefundState.FAILED
