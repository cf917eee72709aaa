"""What becomes of an order when something becomes of its money."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.base.db import changed
from models.base.settings import Settings
from models.jobs import enqueue
from models.jobs.message import unpack
from models.orders.announcing import announce_order
from models.orders.failing import fail_order
from models.orders.letters import facts_of, review_url, tell_customer, tell_staff
from models.orders.moves import STRIPE, held
from models.orders.rules import MOVABLE
from models.orders.states import FailReason, OrderStatus
from models.orders.tables import Order
from models.payments.ledger import refunds_of
from models.payments.moves import paid_key
from models.payments.refunds import ask_refund
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout, Dispute

_ENDED = frozenset({OrderStatus.COMPLETED, OrderStatus.FAILED})


async def follow_payment(session: AsyncSession, settings: Settings, checkout_id: UUID) -> None:
    """Bring the order's second axis to where its checkout's is, and do what follows. Called again, it does nothing.

    A disputed payment freezes the order and alerts; a lost one ends it. Money that was returned in Stripe's
    Dashboard ends an order that was still under way. Money that stays, for an order that has failed while it was
    disputed or on its way, is given back. What is published stays: a link that was taken down is weak evidence
    that it was delivered.
    """
    found = await session.scalar(select(Order.id).where(Order.checkout_id == checkout_id))
    if found is None:
        await _follow_without_order(session, checkout_id)
        return
    order = await held(session, found)
    checkout = await session.get_one(Checkout, checkout_id, populate_existing=True)
    there = checkout.payment_state
    if there in MOVABLE and order.fail_reason is not None:
        await _give_back(session, checkout, order.fail_reason)
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
        await announce_order(session, order.id, "order.refunded")
        facts = await facts_of(session, order.id)
        amount = {"amount_cents": checkout.refunded_cents, "currency": checkout.currency}
        await tell_customer(session, settings, facts, "refunded", str(checkout.refunded_cents), **amount)


async def _follow_without_order(session: AsyncSession, checkout_id: UUID) -> None:
    """A second payment for one draft has no order. If it was disputed when it should have gone back, it goes now."""
    checkout = await session.get_one(Checkout, checkout_id, populate_existing=True)
    if checkout.state is CheckoutState.PAID and checkout.payment_state is PaymentState.DISPUTE_WON:
        wish = unpack(checkout.when_paid)
        await enqueue(session, wish, unique=paid_key(checkout_id), subject=checkout.subject)


async def _give_back(session: AsyncSession, checkout: Checkout, reason: FailReason) -> None:
    """Give back what could not go back when the order failed. A refund that was tried and failed is an admin's."""
    if all(one.kind != reason for one in await refunds_of(session, checkout.id)):
        await ask_refund(session, checkout.id, reason.value)


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
