"""Payments that a card's holder calls into question: written down, and told to whoever sold."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, new_id
from models.payments.facts import DisputeFacts
from models.payments.ledger import gone_cents, refunds_of, settle
from models.payments.moves import Unknown, find_paid, hold_basket, move_payment
from models.payments.rules import dispute_state, split
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Dispute

log = structlog.get_logger(__name__)

_OPEN: Final = PaymentState.DISPUTED


async def sync_dispute(session: AsyncSession, facts: DisputeFacts) -> None:
    """Write down a freshly fetched dispute, and move all that was paid with it to disputed, won or lost.

    A lost race with an older look at the same dispute changes nothing: what is closed is not opened again.
    Raises `Unknown` if the payment is not one that we know.
    """
    paid = await find_paid(session, facts.intent_id, facts.charge_id)
    if paid is None:
        raise Unknown(f"The dispute {facts.id} is about a payment that is not known here.")
    basket = await hold_basket(session, paid)
    there = dispute_state(facts.status)
    for concerned in await _write_down(session, basket, facts, is_closed=there is not _OPEN):
        if there is not _OPEN:
            # Its beginning may have passed us by: it is told all the same, in its order.
            await move_payment(session, concerned, _OPEN)
        moved = await move_payment(session, concerned, there)
        if moved is not None and there is PaymentState.DISPUTE_WON:
            # Refunds that were asked for before go on now, and what had gone back has gone back.
            await settle(session, moved)
        if moved is not None:
            who = {"checkout": str(concerned), "dispute": facts.id, "reason": facts.reason}
            log.error("payments.dispute", status=facts.status, **who)
        changed(session, f"checkout/{concerned}")


async def _write_down(
    session: AsyncSession, basket: Sequence[Checkout], facts: DisputeFacts, *, is_closed: bool
) -> list[UUID]:
    """Add the dispute or follow it; the basket is held. Returns the checkouts that it concerns, or none of them if
    nothing is new, or if we know better: it was closed already.
    """
    query = select(Dispute).where(Dispute.stripe_id == facts.id).order_by(Dispute.checkout_id)
    rows = (await session.scalars(query.execution_options(populate_existing=True))).all()
    if not rows:
        rows = await _rows(session, basket, facts)
        session.add_all(rows)
    elif all(one.status == facts.status or (one.closed_at and not is_closed) for one in rows):
        return []
    for one in rows:
        one.status = facts.status
        one.closed_at = one.closed_at or (now() if is_closed else None)
    await session.flush()
    return [one.checkout_id for one in rows]


async def _rows(session: AsyncSession, basket: Sequence[Checkout], facts: DisputeFacts) -> list[Dispute]:
    """One for each checkout of which there is money left: its part of what the bank holds."""
    left = {one.id: one.captured_cents - gone_cents(await refunds_of(session, one.id)) for one in basket}
    concerned = {name: cents for name, cents in left.items() if cents > 0}
    # What has gone back whole can be called into question all the same.
    concerned = concerned or {one.id: one.captured_cents for one in basket}
    parts = split(facts.amount_cents, list(concerned.values()))
    return [
        Dispute(
            id=new_id(),
            checkout_id=name,
            stripe_id=facts.id,
            reason=facts.reason,
            amount_cents=part,
            currency=facts.currency,
            opened_at=facts.created_at,
        )
        for name, part in zip(concerned, parts, strict=True)
    ]
