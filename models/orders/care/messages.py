"""What a customer and the editors write to each other about an order.

Words between people: nothing of it reaches the writer, and no text of an article changes by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict, Invalid
from models.base.settings import Settings
from models.jobs import enqueue
from models.mail.tables import EmailMessage
from models.orders.care.tables import Message
from models.orders.jobs import TellOfMessages
from models.orders.letters import facts_of, review_url, tell_customer, tell_staff
from models.orders.moves import held
from models.orders.states import OrderStatus, Side
from models.orders.tables import Order

MAX_WORDS: Final = 2000
PER_DAY: Final = 20
#: The same words again within this time are a second press of the same button.
TWICE: Final = timedelta(minutes=1)
#: Between two letters about unread messages of one order to one side.
QUIET: Final = timedelta(minutes=15)
#: For how long after it failed an order may be written about.
OPEN_AFTER_FAILURE: Final = timedelta(days=30)
#: Messages that a page shows: the latest.
SHOWN: Final = 200

_LETTERS: Final = {Side.CUSTOMER: "orders.new_message", Side.EDITOR: "orders.admin_message"}


@dataclass(frozen=True, slots=True)
class Line:
    """A message as a page shows it; `email` is its author's."""

    id: UUID
    side: Side
    words: str
    at: datetime
    read_at: datetime | None
    email: str


def can_be_written_about(order: Order, at: datetime) -> bool:
    """Whether messages about the order are still taken."""
    return order.status is not OrderStatus.FAILED or order.updated_at > at - OPEN_AFTER_FAILURE


async def messages_of(session: AsyncSession, order_id: UUID) -> list[Line]:
    """The latest messages about an order, oldest first. Who may see the order is the caller's question."""
    query = (
        select(Message.id, Message.side, Message.words, Message.at, Message.read_at, Person.email)
        .join(Person, Person.id == Message.author_id)
        .where(Message.order_id == order_id)
        .order_by(Message.id.desc())
        .limit(SHOWN)
    )
    return [Line(*row) for row in await session.execute(query)][::-1]


async def write_message(
    session: AsyncSession,
    order_id: UUID,
    author: Person,
    side: Side,
    words: str,
    at: datetime | None = None,
) -> Message:
    """Add a message, and have the other side told by letter if it stays unread.

    A customer writes about their own order only. Sent twice it is one message, which is returned. Raises `Invalid` for
    words that are none, too many, or the twenty-first of a day, and `Conflict` for an order that is closed. Whoever
    answers has read what was written.
    """
    at = at or now()
    order = await held(session, order_id, author.id if side is Side.CUSTOMER else None)
    if not can_be_written_about(order, at):
        raise Conflict("This order ended more than 30 days ago, so its messages are closed.")
    words = words.strip()
    if not words:
        raise Invalid({"words": "Write a message."})
    if len(words) > MAX_WORDS:
        raise Invalid({"words": f"Shorten the message to {MAX_WORDS:,} characters; it has {len(words):,}."})
    mine = (Message.order_id == order_id, Message.side == side)
    same = select(Message).where(
        *mine, Message.author_id == author.id, Message.words == words, Message.at > at - TWICE
    )
    if (sent := (await session.scalars(same.limit(1))).one_or_none()) is not None:
        return sent
    recent = select(func.count()).where(*mine, Message.at > at - timedelta(days=1))
    if (await session.scalar(recent) or 0) >= PER_DAY:
        raise Invalid({"words": f"{PER_DAY} messages a day can be sent about one order. Write again later."})
    await mark_read(session, order_id, side, at)
    message = Message(order_id=order_id, side=side, author_id=author.id, words=words, at=at)
    session.add(message)
    await session.flush()
    changed(session, f"order/{order_id}")
    changed(session, "orders")
    if side is Side.EDITOR:
        await audit(session, author, "order.message_written", f"order/{order_id}", message=str(message.id))
    await enqueue(
        session,
        TellOfMessages(order_id=order_id, to=side.other),
        unique=f"messages/{order_id}/{side.other}",
        run_at=await _told_next(session, order_id, side.other, at),
    )
    return message


async def _told_next(session: AsyncSession, order_id: UUID, to: Side, at: datetime) -> datetime:
    """When this side may get its next letter about this order."""
    last = await session.scalar(
        select(func.max(EmailMessage.created_at)).where(
            EmailMessage.about == f"order/{order_id}", EmailMessage.kind == _LETTERS[to]
        )
    )
    return at if last is None else max(at, last + QUIET)


async def mark_read(session: AsyncSession, order_id: UUID, reader: Side, at: datetime | None = None) -> int:
    """Note that this side has seen what the other wrote. Returns how many messages were new to it."""
    seen = await session.execute(
        update(Message)
        .where(Message.order_id == order_id, Message.side == reader.other, Message.read_at.is_(None))
        .values(read_at=at or now())
        .returning(Message.id)
    )
    count = len(seen.all())
    if count:
        changed(session, f"order/{order_id}")
    return count


async def tell_of_messages(
    session: AsyncSession, settings: Settings, order_id: UUID, to: Side, at: datetime | None = None
) -> bool:
    """Write the letter about what this side has not read, if there is anything. Returns whether it was written.

    The order is held, as it is by whoever writes a message: a message that comes now is either in this letter's
    count or asks for the next one.
    """
    at = at or now()
    await held(session, order_id)
    unread = await _unread(session, order_id, to)
    if not unread or await _told_next(session, order_id, to, at) > at:
        return False
    facts = await facts_of(session, order_id)
    newest = str(unread[0])
    if to is Side.CUSTOMER:
        await tell_customer(session, settings, facts, "new_message", newest, count=len(unread))
    else:
        told: dict[str, Any] = {
            "admin_url": f"{review_url(settings, order_id)}#messages",
            "order_number": facts.number,
            "customer_email": facts.customer.email,
            "count": len(unread),
        }
        await tell_staff(session, settings, facts.order, "message", newest, **told)
    return True


async def _unread(session: AsyncSession, order_id: UUID, reader: Side) -> Sequence[UUID]:
    query = select(Message.id).where(
        Message.order_id == order_id, Message.side == reader.other, Message.read_at.is_(None)
    )
    return (await session.scalars(query.order_by(Message.id.desc()))).all()
