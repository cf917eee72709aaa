"""The one place where a payment becomes true: for the webhook, the page that Stripe returns to, and the reconciler."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.jobs import enqueue
from models.jobs.message import unpack
from models.payments.facts import SessionFacts
from models.payments.invoices import issue_invoice
from models.payments.moves import NotOurs, Unknown, move_checkout, owed, paid_key
from models.payments.refunds import ask_refund
from models.payments.rules import Verdict, checkout_in, split, verdict
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout

log = structlog.get_logger(__name__)

_CAPTURED: Final = frozenset({CheckoutState.PAID, CheckoutState.MISMATCH})


async def fulfil(
    session: AsyncSession, facts: SessionFacts, at: datetime | None = None
) -> Sequence[Checkout]:
    """Bring the checkouts of a freshly fetched session to where that session says they are: one, or a basket.

    Neither the order nor the repetition of calls matters: each move is a compare-and-set along the drawing, and
    whoever makes the move to paid numbers the invoice and asks for the job that was left for it, in the same
    transaction. A payment that is not the one that was owed goes back by itself, all of it, and somebody is told.
    Raises `Unknown` or `NotOurs`.
    """
    basket = await _find(session, facts)
    judged = verdict(owed(basket), facts)
    received = facts.intent.received_cents if facts.intent else facts.amount_cents
    parts = split(received, [one.amount_cents for one in basket])
    at = at or now()
    return [
        await _follow(session, one, facts, judged, part, at) for one, part in zip(basket, parts, strict=True)
    ]


async def _follow(
    session: AsyncSession, checkout: Checkout, facts: SessionFacts, judged: Verdict, part: int, at: datetime
) -> Checkout:
    if checkout.state is CheckoutState.NEW:
        # Whatever has become of it since, it was opened.
        checkout = await move_checkout(session, checkout.id, CheckoutState.OPEN) or checkout
    if judged.state is CheckoutState.OPEN:
        return checkout
    values: dict[str, Any] = {"problem": judged.problem}
    if judged.state in _CAPTURED:
        values |= _captured(facts, part) | {"paid_at": at}
    moved = await move_checkout(session, checkout.id, judged.state, **values)
    if moved is None:
        return checkout
    log.info(
        "payments.checkout_moved", checkout=str(moved.id), subject=moved.subject, state=moved.state.value
    )
    if moved.state is CheckoutState.PAID:
        await issue_invoice(session, moved)
        await enqueue(session, unpack(moved.when_paid), unique=paid_key(moved.id), subject=moved.subject)
    elif moved.state is CheckoutState.MISMATCH:
        log.error("payments.mismatch", checkout=str(moved.id), session=facts.id, problem=moved.problem)
        await ask_refund(session, moved.id, "mismatch")
    return moved


async def _find(session: AsyncSession, facts: SessionFacts) -> Sequence[Checkout]:
    """The checkouts that this session was opened for, locked. Found by its name, or else by what we wrote on it."""
    made_for = checkout_in(facts.metadata)
    # In one query: between two, whoever opened it could have written down the name.
    ways = [Checkout.session_id == facts.id]
    if made_for is not None:
        ways += [Checkout.id == made_for, Checkout.basket_id == made_for]
    query = select(Checkout).where(or_(*ways)).order_by(Checkout.id).with_for_update()
    found = (await session.scalars(query.execution_options(populate_existing=True))).all()
    known = [one for one in found if one.session_id == facts.id]
    if known:
        return known
    if made_for is None:
        raise NotOurs(f"The session {facts.id} was not opened by this product.")
    if not found:
        raise Unknown(f"The session {facts.id} belongs to a checkout that is not known here.")
    if any(one.session_id is not None for one in found):
        raise Unknown(f"The session {facts.id} is a second one for the checkout {made_for}.")
    for one in found:
        one.session_id, one.session_url, one.expires_at = facts.id, facts.url, facts.expires_at
    await session.flush()
    return found


def _captured(facts: SessionFacts, part: int) -> dict[str, Any]:
    intent = facts.intent
    charge = intent.charge if intent else None
    return {
        "payment_state": PaymentState.PAID,
        "captured_cents": part,
        "captured_currency": intent.currency if intent else facts.currency,
        "payment_intent_id": intent.id if intent else None,
        "charge_id": charge.id if charge else None,
        "receipt_url": charge.receipt_url if charge else None,
    }
