"""The refunds of a payment as Stripe has them, written down here: ours, and those made in its Dashboard."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import new_id
from models.payments.facts import RefundFacts
from models.payments.ledger import move_refund, refunds_of, settle
from models.payments.moves import Unknown, find_paid, hold_basket
from models.payments.rules import refund_state, share_out
from models.payments.states import RefundState
from models.payments.tables import Checkout, Refund

log = structlog.get_logger(__name__)

#: How the kind of a refund begins that was made in Stripe's Dashboard.
BY_HAND: Final = "dashboard:"


async def sync_refunds(
    session: AsyncSession, checkout_id: UUID, given: Sequence[RefundFacts]
) -> Sequence[Checkout]:
    """Write down the refunds of one payment as Stripe lists them, and what they make of the state of everything that
    was paid with it, which is returned and held.

    A refund that was made in Stripe's Dashboard gets a row of the kind `dashboard:<id>`; in a basket, one for each
    checkout that has a share in it.
    """
    basket = await hold_basket(session, checkout_id)
    rows = [row for one in basket for row in await refunds_of(session, one.id)]
    by_hand = []
    for facts in given:
        mine = [one for one in rows if is_of(facts, one)]
        for one in mine:
            await _follow(session, one, facts)
        if not mine and facts.metadata.get("refund_id") not in {str(one.id) for one in rows}:
            by_hand.append(facts)
    for facts in sorted(by_hand, key=lambda one: (one.created_at, one.id)):
        made = _dashboard(basket, rows, facts)
        session.add_all(made)
        rows += made
    await session.flush()
    return [await settle(session, one) for one in basket]


async def find_refunded(session: AsyncSession, facts: RefundFacts) -> UUID:
    """A checkout that a refund belongs to; raise `Unknown` if no payment of ours is known for it."""
    checkout_id = await find_paid(session, facts.intent_id, facts.charge_id)
    if checkout_id is None:
        raise Unknown(f"The refund {facts.id} is of a payment that is not known here.")
    return checkout_id


async def _follow(session: AsyncSession, refund: Refund, facts: RefundFacts) -> None:
    there = refund_state(facts.status)
    if refund.state is there and refund.stripe_id is not None:
        return
    settled_at = None if there is RefundState.PENDING else now()
    told: dict[str, Any] = {"stripe_id": facts.id, "problem": facts.failure_reason}
    if not refund.kind.startswith(BY_HAND):
        told["amount_cents"] = facts.amount_cents
    moved = await move_refund(session, refund, there, settled_at=settled_at, **told)
    if moved and there is RefundState.FAILED:
        who = {"refund": str(refund.id), "checkout": str(refund.checkout_id)}
        log.error("payments.refund_failed", reason=facts.failure_reason, **who)


def _dashboard(basket: Sequence[Checkout], rows: Sequence[Refund], facts: RefundFacts) -> list[Refund]:
    """What a refund that was made by hand gives back of each. Nothing yet, if that depends on refunds of ours that
    Stripe may be giving at this moment: whoever asks it looks here again afterwards.
    """
    spoken_for: Counter[UUID] = Counter()
    for row in rows:
        if row.state is not RefundState.FAILED:
            spoken_for[row.checkout_id] += row.amount_cents
    left = [max(0, one.captured_cents - spoken_for[one.id]) for one in basket]
    is_open = any(one.state is RefundState.ASKED for one in rows)
    if is_open and sum(left) < facts.amount_cents:
        return []
    there = refund_state(facts.status)
    return [
        Refund(
            id=new_id(),
            checkout_id=one.id,
            kind=f"{BY_HAND}{facts.id}",
            amount_cents=share,
            currency=facts.currency,
            state=there,
            attempt=1,
            stripe_id=facts.id,
            problem=facts.failure_reason,
            created_at=facts.created_at,
            settled_at=None if there is RefundState.PENDING else now(),
        )
        for one, share in zip(basket, share_out(facts.amount_cents, left), strict=True)
        if share
    ]


def is_of(facts: RefundFacts, refund: Refund) -> bool:
    """Whether this is what the row asked for the last time. Earlier attempts of it are history."""
    asked = facts.metadata.get("refund_id"), facts.metadata.get("attempt")
    return facts.id == refund.stripe_id or asked == (str(refund.id), str(refund.attempt))
