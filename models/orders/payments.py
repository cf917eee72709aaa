"""What becomes of an order when something becomes of its money."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.base.db import changed
from models.base.settings import Settings
from models.orders.letters import facts_of, review_url, tell_customer, tell_staff
from models.orders.making import fail_order
from models.orders.moves import STRIPE, held
from models.orders.states import FailReason, OrderStatus
from models.orders.tables import Order
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Dispute

_ENDED = frozenset({OrderStatus.COMPLETED, OrderStatus.FAILED})


async def follow_payment(session: AsyncSession, settings: Settings, checkout_id: UUID) -> None:
    """Bring the order's second axis to where its checkout's is, and do what follows. Called again, it does nothing.

    A disputed payment freezes the order and alerts; a lost one ends it. Money that was returned in Stripe's
    Dashboard ends an order that was still under way. What is published stays: a link that was taken down is
    weak evidence that it was delivered.
    """
    found = await session.scalar(select(Order.id).where(Order.checkout_id == checkout_id))
    if found is None:
        return
    order = await held(session, found)
    checkout = await session.get_one(Checkout, checkout_id, populate_existing=True)
    there = checkout.payment_state
    if there is None or there is order.payment_state:
        return
    await session.execute(
        update(Order).where(Order.id == order.id).values(payment_state=there, updated_at=func.now())
    )
    await session.refresh(order)
    changed(session, f"order/{order.id}")
    changed(session, "orders")
    if there is PaymentState.DISPUTED:
        await _alert(session, settings, order)
    elif there is PaymentState.DISPUTE_LOST and order.status not in _ENDED:
        await fail_order(
            session, settings, order, FailReason.DISPUTE, "The payment was taken back by the bank.", STRIPE
        )
    elif there is PaymentState.REFUNDED:
        if order.status not in _ENDED:
            await fail_order(
                session, settings, order, FailReason.REFUNDED, "The payment was refunded.", STRIPE
            )
        facts = await facts_of(session, order.id)
        amount = {"amount_cents": checkout.refunded_cents, "currency": checkout.currency}
        await tell_customer(session, settings, facts, "refunded", str(checkout.refunded_cents), **amount)


async def _alert(session: AsyncSession, settings: Settings, order: Order) -> None:
    disputes = (
        select(Dispute).where(Dispute.checkout_id == order.checkout_id).order_by(Dispute.opened_at.desc())
    )
    dispute = (await session.scalars(disputes.limit(1))).one_or_none()
    facts = await facts_of(session, order.id)
    told = {
        "admin_url": review_url(settings, order.id),
        "order_number": facts.number,
        "amount_cents": dispute.amount_cents if dispute else order.amount_cents,
        "currency": order.currency,
        "reason": (dispute.reason if dispute else None) or "not given",
    }
    key = dispute.stripe_id if dispute else "1"
    await tell_staff(session, settings, order, "dispute", key, role=Role.ADMIN, **told)
