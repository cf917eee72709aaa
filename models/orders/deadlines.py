"""What the clock decides about an order when its customer does not, and how they are reminded before."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import moment_words
from models.base.settings import Settings
from models.mail.tables import EmailMessage
from models.orders.failing import fail_order
from models.orders.letters import facts_of, tell_customer
from models.orders.moves import SYSTEM, held
from models.orders.reviewing import hand_over, review_time
from models.orders.rules import MOVABLE, REMINDER_DAYS
from models.orders.states import FailReason, OrderStatus
from models.orders.tables import Order

#: Orders that wait for their customer. With its money disputed an order rests.
_WAITING: Final = (Order.status == OrderStatus.QUALITY_CHECK, Order.payment_state.in_(MOVABLE))


async def tend_reviews(session: AsyncSession, settings: Settings, at: datetime, limit: int = 200) -> int:
    """Decide for those whose review time is over, and remind the others. Returns how many moved.

    What was promised before payment: after `review_days` without a decision, the newest version goes to the
    editors, or the order ends with a refund, as the shop has it. An order whose money is disputed rests.
    """
    over = (
        select(Order.id)
        .where(*_WAITING, Order.review_due_at <= at)
        .order_by(Order.review_due_at)
        .limit(limit)
    )
    moved = 0
    for order_id in (await session.scalars(over)).all():
        order = await held(session, order_id)
        is_over = order.review_due_at is not None and order.review_due_at <= at
        is_waiting = order.status is OrderStatus.QUALITY_CHECK and order.payment_state in MOVABLE
        if is_waiting and order.version_id and is_over:
            await _decide_instead(session, settings, order, order.version_id, at)
            moved += 1
    await _remind(session, settings, at, limit)
    return moved


async def _decide_instead(
    session: AsyncSession, settings: Settings, order: Order, version_id: UUID, at: datetime
) -> None:
    if settings.orders.undecided == "refund":
        words = "The time to decide about your text is over, so the order has ended."
        await fail_order(session, settings, order, FailReason.UNDECIDED, words, SYSTEM)
    else:
        await hand_over(session, settings, order, version_id, SYSTEM, "review time over", at)


async def _remind(session: AsyncSession, settings: Settings, at: datetime, limit: int) -> None:
    """Remind once per reminder day of each wait: who gets a version back from the editors has a new one. The letter's
    key keeps it at once, however often this runs.

    Each day is asked for by itself, and who has the day's letter is left out: a crowd that was reminded does not
    stand before those that were not.
    """
    days = [day for day in REMINDER_DAYS if day < settings.orders.review_days]
    for day, next_day in zip(days, [*days[1:], settings.orders.review_days], strict=True):
        await _remind_of_day(session, settings, at, (day, next_day), limit)


async def _remind_of_day(
    session: AsyncSession, settings: Settings, at: datetime, days: tuple[int, int], limit: int
) -> None:
    """Remind those that have waited for at least the first and less than the second of `days`."""
    begun = at + review_time(settings)
    wait = func.to_char(func.timezone("UTC", Order.review_due_at), "YYYYMMDDHH24MISSUS")
    key = func.concat("review_reminder:", Order.id, ":", wait, ":", days[0])
    waiting = (
        select(Order)
        .where(
            *_WAITING,
            Order.review_due_at > begun - timedelta(days=days[1]),
            Order.review_due_at <= begun - timedelta(days=days[0]),
            ~exists().where(EmailMessage.key == key),
        )
        .order_by(Order.review_due_at)
        .limit(limit)
    )
    for order in (await session.scalars(waiting)).all():
        assert order.review_due_at is not None
        left = order.review_due_at - at
        facts = await facts_of(session, order.id)
        told = {
            "days_left": -(-left // timedelta(days=1)),
            "review_deadline": moment_words(order.review_due_at),
        }
        key_of_wait = f"{order.review_due_at.astimezone(UTC):%Y%m%d%H%M%S%f}:{days[0]}"
        await tell_customer(session, settings, facts, "review_reminder", key_of_wait, **told)
