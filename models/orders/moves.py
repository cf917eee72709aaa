"""The one way in which an order moves: a compare-and-set and a row of history in the same transaction."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.db import changed
from models.base.errors import Conflict, NotFound
from models.base.states import move
from models.orders.announcing import announce_move
from models.orders.rules import MOVABLE
from models.orders.states import MOVES, OrderStatus
from models.orders.tables import Order, Transition
from models.payments.moves import hold
from models.payments.states import PaymentState


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves an order: customer, editor, writer, stripe or system, and which person if it is one."""

    role: str
    person_id: UUID | None = None


#: The action of the move by which a version goes to an editor before its customer has seen it. What is asked whether
#: that is so now is `Order.held_at`: more may have happened since.
HELD: Final = "held for an editor"

_AT_REST: Final[dict[PaymentState | None, str]] = {
    PaymentState.DISPUTED: "The payment is disputed, so this order rests until that is decided.",
    PaymentState.DISPUTE_LOST: "The payment was taken back, so this order has ended.",
}

WRITER = Actor("writer")
STRIPE = Actor("stripe")
SYSTEM = Actor("system")


def customer(person: Person) -> Actor:
    """The order's owner, acting."""
    return Actor("customer", person.id)


def editor(person: Person) -> Actor:
    """An editor or admin, acting."""
    return Actor("editor", person.id)


async def held(session: AsyncSession, order_id: UUID, person_id: UUID | None = None) -> Order:
    """The order, locked until this transaction ends: what is read now is what will be moved.

    With `person_id` it must be that person's, or there is no such order.
    """
    query = select(Order).where(Order.id == order_id).with_for_update()
    if person_id is not None:
        query = query.where(Order.person_id == person_id)
    order = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if order is None:
        raise NotFound("There is no such order.")
    return order


async def must_be_movable(session: AsyncSession, order: Order) -> None:
    """Refuse to go on with a held order whose money is disputed or on its way back.

    The order hears of its money a moment later than the checkout, so the checkout is asked as well. It is held, so
    that nothing becomes of the money before what is done now has been done.
    """
    checkout = await hold(session, order.checkout_id)
    for there in (order.payment_state, checkout.payment_state):
        if there not in MOVABLE:
            raise Conflict(_AT_REST.get(there, "The payment is being returned, so this order has ended."))


async def move_order(
    session: AsyncSession,
    order: Order,
    there: OrderStatus,
    action: str,
    actor: Actor,
    reason: str | None = None,
    **values: Any,
) -> None:
    """Move a held order along an arrow of the drawing and write its history. `values` are set with it; whoever moves it
    to an editor before its customer has seen it sets `held_at` among them.

    The lock already keeps others out; the condition in the statement is there so that a caller who forgot it
    is refused too.
    """
    here = order.status
    move(MOVES, here, there)
    moved = await session.execute(
        update(Order)
        .where(Order.id == order.id, Order.status == here)
        .values({"status": there, "updated_at": func.now(), "held_at": None} | values)
        .returning(Order)
        .execution_options(populate_existing=True)
    )
    if moved.one_or_none() is None:
        raise Conflict("Somebody else was quicker. Look at the order again.")
    await write_history(session, order.id, here, there, action, actor, reason)


async def write_history(
    session: AsyncSession,
    order_id: UUID,
    here: OrderStatus | None,
    there: OrderStatus,
    action: str,
    actor: Actor,
    reason: str | None = None,
) -> None:
    """Add a row to the order's history and tell whoever looks at it."""
    session.add(
        Transition(
            order_id=order_id,
            from_status=here,
            to_status=there,
            action=action,
            actor=actor.role,
            actor_id=actor.person_id,
            reason=reason,
        )
    )
    await session.flush()
    await announce_move(session, order_id, here, there)
    changed(session, f"order/{order_id}")
    changed(session, "orders")
