"""The promise clock: a customer was told when the text will be ready, and is told when that did not come true."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.base.settings import Settings
from models.jobs.actions import hurry
from models.orders.letters import facts_of, review_url, tell_customer, tell_staff
from models.orders.moves import SYSTEM, write_history
from models.orders.rules import MOVABLE
from models.orders.states import OrderStatus
from models.orders.tables import Generation, Order

#: Orders whose customer waits for the promised text: it is being written, or an editor looks at it first.
UNREADY: Final = or_(
    Order.status == OrderStatus.PROCESSING,
    and_(Order.status == OrderStatus.ADMIN_REVIEW, Order.held_at.is_not(None)),
)

_REMEDY: Final = {
    OrderStatus.PROCESSING: "It goes first now. If it still waits, look whether workers run and whether the queue is paused.",
    OrderStatus.ADMIN_REVIEW: "It is written and held for an editor. Look at it first, then show it to its customer.",
}


def promise(settings: Settings, at: datetime) -> dict[str, Any]:
    """The columns of an order that a new promise sets: every asking of the writer has its own."""
    due_at = at + timedelta(minutes=settings.orders.promise_minutes)
    return {"promised_at": due_at, "promise_broken_at": None}


async def mind_promises(session: AsyncSession, settings: Settings, at: datetime, limit: int = 100) -> int:
    """Find the orders that are later than promised: each goes first from now on, and everybody is told once.

    Returns how many there were. An order that somebody else holds at this moment is found the next time.
    """
    late = (
        select(Order)
        .where(
            UNREADY,
            Order.promised_at < at,
            Order.promise_broken_at.is_(None),
            Order.payment_state.in_(MOVABLE),
        )
        .order_by(Order.promised_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = (await session.scalars(late.execution_options(populate_existing=True))).all()
    for order in found:
        await _admit(session, settings, order, at)
    return len(found)


async def _admit(session: AsyncSession, settings: Settings, order: Order, at: datetime) -> None:
    await session.execute(
        update(Order)
        .where(Order.id == order.id, Order.promise_broken_at.is_(None))
        .values(promise_broken_at=at, updated_at=func.now())
    )
    job_id = await session.scalar(
        select(Generation.job_id).where(
            Generation.order_id == order.id, Generation.number == order.generation
        )
    )
    if job_id is not None:
        await hurry(session, job_id)
    await write_history(session, order.id, order.status, order.status, "promise broken", SYSTEM)
    facts = await facts_of(session, order.id)
    key = str(order.generation)
    await tell_customer(session, settings, facts, "promise_late", key)
    minutes = max(1, int((at - order.promised_at).total_seconds()) // 60)
    told = {
        "admin_url": review_url(settings, order.id),
        "title": f"Order {facts.number} is later than promised",
        "body": f"Its text was promised {minutes} minutes ago. {_REMEDY[order.status]}",
    }
    role = Role.EDITOR if order.status is OrderStatus.ADMIN_REVIEW else Role.ADMIN
    await tell_staff(session, settings, order, "alert", f"late:{key}", role=role, **told)
