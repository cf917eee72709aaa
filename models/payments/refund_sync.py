"""The refunds of a payment as Stripe has them, written down here: ours, and those made in its Dashboard."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import new_id
from models.payments.facts import RefundFacts
from models.payments.ledger import move_refund, refunds_of, settle
from models.payments.moves import Unknown, find_paid, hold
from models.payments.rules import refund_state
from models.payments.states import RefundState
from models.payments.tables import Checkout, Refund

log = structlog.get_logger(__name__)


async def sync_refunds(session: AsyncSession, checkout_id: UUID, given: Sequence[RefundFacts]) -> Checkout:
    """Write down the refunds of one payment as Stripe lists them, and what they make of the payment's state.

    A refund that was made in Stripe's Dashboard gets a row of the kind `dashboard:<id>`.
    """
    checkout = await hold(session, checkout_id)
    rows = {one.id: one for one in await refunds_of(session, checkout_id)}
    for facts in given:
        mine = next((one for one in rows.values() if is_of(facts, one)), None)
        if mine is not None:
            await _follow(session, mine, facts)
        elif str(facts.metadata.get("refund_id")) not in {str(one) for one in rows}:
            rows |= {(made := _dashboard(checkout, facts)).id: made}
            session.add(made)
    await session.flush()
    return await settle(session, checkout)


async def find_refunded(session: AsyncSession, facts: RefundFacts) -> Checkout:
    """The checkout that a refund belongs to, locked; raise `Unknown` if no payment of ours is known for it."""
    checkout = await find_paid(session, facts.intent_id, facts.charge_id)
    if checkout is None:
        raise Unknown(f"The refund {facts.id} is of a payment that is not known here.")
    return checkout


async def _follow(session: AsyncSession, refund: Refund, facts: RefundFacts) -> None:
    there = refund_state(facts.status)
    if refund.state is there and refund.stripe_id is not None:
        return
    settled_at = None if there is RefundState.PENDING else now()
    told = {"stripe_id": facts.id, "amount_cents": facts.amount_cents, "problem": facts.failure_reason}
    moved = await move_refund(session, refund, there, settled_at=settled_at, **told)
    if moved and there is RefundState.FAILED:
        who = {"refund": str(refund.id), "checkout": str(refund.checkout_id)}
        log.error("payments.refund_failed", reason=facts.failure_reason, **who)


def _dashboard(checkout: Checkout, facts: RefundFacts) -> Refund:
    there = refund_state(facts.status)
    return Refund(
        id=new_id(),
        checkout_id=checkout.id,
        kind=f"dashboard:{facts.id}",
        amount_cents=facts.amount_cents,
        currency=facts.currency,
        state=there,
        attempt=1,
        stripe_id=facts.id,
        problem=facts.failure_reason,
        created_at=facts.created_at,
        settled_at=None if there is RefundState.PENDING else now(),
    )


def is_of(facts: RefundFacts, refund: Refund) -> bool:
    """Whether this is what the row asked for the last time. Earlier attempts of it are history."""
    asked = facts.metadata.get("refund_id"), facts.metadata.get("attempt")
    return facts.id == refund.stripe_id or asked == (str(refund.id), str(refund.attempt))
