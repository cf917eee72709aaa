"""Payments that a card's holder calls into question: written down, and told to whoever sold."""

from typing import Final

import structlog
from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, new_id
from models.payments.facts import DisputeFacts
from models.payments.ledger import settle
from models.payments.moves import Unknown, find_paid, move_payment
from models.payments.rules import dispute_state
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Dispute

log = structlog.get_logger(__name__)

_OPEN: Final = PaymentState.DISPUTED


async def sync_dispute(session: AsyncSession, facts: DisputeFacts) -> Checkout:
    """Write down a freshly fetched dispute, and move the payment to disputed, won or lost.

    A lost race with an older look at the same dispute changes nothing: what is closed is not opened again.
    Raises `Unknown` if the payment is not one that we know.
    """
    checkout = await find_paid(session, facts.intent_id, facts.charge_id)
    if checkout is None:
        raise Unknown(f"The dispute {facts.id} is about a payment that is not known here.")
    there = dispute_state(facts.status)
    if not await _write_down(session, checkout, facts, is_closed=there is not _OPEN):
        return checkout
    if there is not _OPEN:
        # Its beginning may have passed us by: it is told all the same, in its order.
        await move_payment(session, checkout.id, _OPEN)
    moved = await move_payment(session, checkout.id, there)
    if moved is not None and there is PaymentState.DISPUTE_WON:
        # Refunds that were asked for before go on now, and what had gone back has gone back.
        moved = await settle(session, moved)
    if moved is not None:
        who = {"checkout": str(checkout.id), "dispute": facts.id, "reason": facts.reason}
        log.error("payments.dispute", status=facts.status, **who)
    changed(session, f"checkout/{checkout.id}")
    return moved or checkout


async def _write_down(
    session: AsyncSession, checkout: Checkout, facts: DisputeFacts, *, is_closed: bool
) -> bool:
    """Insert or follow the dispute. False if nothing is new, or if we know better: it was closed already."""
    closed_at = now() if is_closed else None
    row = {
        "id": new_id(),
        "checkout_id": checkout.id,
        "stripe_id": facts.id,
        "status": facts.status,
        "reason": facts.reason,
        "amount_cents": facts.amount_cents,
        "currency": facts.currency,
        "opened_at": facts.created_at,
        "closed_at": closed_at,
    }
    written = insert(Dispute).values(row)
    kept = case((Dispute.closed_at.is_(None), written.excluded.closed_at), else_=Dispute.closed_at)
    news = Dispute.status != written.excluded.status
    statement = written.on_conflict_do_update(
        index_elements=["stripe_id"],
        set_={"status": written.excluded.status, "closed_at": kept},
        where=news if is_closed else news & Dispute.closed_at.is_(None),
    ).returning(Dispute.id)
    return (await session.scalars(statement)).one_or_none() is not None
