"""What other systems hear of an order by signed webhook, in the transaction in which it happens."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.notices.actions import announce
from models.orders.states import OrderStatus
from models.orders.tables import Order

#: By where an order has come to. It is in `PROCESSING` again and again, and paid for once.
_EVENTS: Final = {
    OrderStatus.QUALITY_CHECK: "order.ready",
    OrderStatus.COMPLETED: "order.published",
    OrderStatus.FAILED: "order.failed",
}


async def announce_move(
    session: AsyncSession, order_id: UUID, here: OrderStatus | None, there: OrderStatus
) -> None:
    """Announce that an order has come from `here` to `there`, if that is an event."""
    event = "order.paid" if here is None else _EVENTS.get(there)
    if event is not None and here is not there:
        await announce_order(session, order_id, event)


async def announce_order(session: AsyncSession, order_id: UUID, event: str) -> None:
    """Announce `event` of an order. Who bought what for whom is asked for by its id."""
    order = await session.get_one(Order, order_id)
    told = {
        "id": str(order_id),
        "number": order.number,
        "product": order.product.value,
        "status": order.status.value,
        "is_test": order.is_test,
    }
    await announce(session, event, told)
