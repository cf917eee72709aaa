"""Ending an order without its work done: history, refund and letters, together or not at all."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.settings import Settings
from models.orders.letters import facts_of, review_url, take_back_letters, tell_customer, tell_staff
from models.orders.moves import Actor, move_order
from models.orders.states import FailReason, GenerationState, OrderStatus
from models.orders.tables import Generation, Order
from models.payments.refunds import ask_refund
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Refund


async def fail_order(
    session: AsyncSession,
    settings: Settings,
    order: Order,
    reason: FailReason,
    words: str,
    actor: Actor,
    letter: str = "order_failed",
) -> None:
    """End a held order without its work done.

    `words` is a whole sentence for the customer. Money that is disputed is never refunded: the bank decides.
    """
    await _stop_generation(session, order)
    await move_order(
        session, order, OrderStatus.FAILED, reason.value, actor, words, fail_reason=reason, review_due_at=None
    )
    await take_back_letters(session, order.id)
    facts = await facts_of(session, order.id)
    # The payment knows best what can go back: what the order has heard of it may be a moment old, or a part of it.
    refund = await ask_back(session, order, reason.value, actor.person_id)
    if refund is not None:
        told: dict[str, Any] = {"amount_cents": refund.amount_cents, "currency": refund.currency}
        told |= {"reason": words} if letter == "order_failed" else {}
        await tell_customer(session, settings, facts, letter, "1", **told)
    if actor.role not in {"customer", "editor"}:
        page = review_url(settings, order.id)
        more: dict[str, Any] = {"admin_url": page, "order_number": facts.number, "reason": words}
        await tell_staff(session, settings, order, "order_failed", "1", **more)


async def ask_back(
    session: AsyncSession, order: Order, kind: str, asked_by: UUID | None = None
) -> Refund | None:
    """Ask for what is left of a held order's money, as `ask_refund` does. The order knows that it is on its way back from
    this moment, not only when it follows its payment.
    """
    refund = await ask_refund(session, order.checkout_id, kind, asked_by=asked_by)
    checkout = await session.get_one(Checkout, order.checkout_id)
    if checkout.payment_state is PaymentState.REFUND_PENDING:
        order.payment_state = PaymentState.REFUND_PENDING
        await session.flush()
    return refund


async def _stop_generation(session: AsyncSession, order: Order) -> None:
    """Cancel the active generation, if there is one. Its worker's result will find nobody waiting."""
    await session.execute(
        update(Generation)
        .where(Generation.order_id == order.id, Generation.state == GenerationState.ACTIVE)
        .values(state=GenerationState.CANCELLED, finished_at=func.now())
    )
