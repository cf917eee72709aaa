"""What needs a person now: the editors' first page. Each list is short on purpose; its count is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import first_id
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.orders.care.guarantee import NOT_OWED
from models.orders.care.tables import Message
from models.orders.rules import MOVABLE
from models.orders.states import LinkState, OrderStatus, Side
from models.orders.tables import Order
from models.orders.writing.promises import UNREADY
from models.payments.states import EventState, RefundState
from models.payments.tables import Checkout, Dispute, Refund, StripeEvent

#: How far back failed orders and letters are shown; what lies further back has been seen or is a truth's matter.
RECENTLY: Final = timedelta(days=7)
SHOWN: Final = 8

#: How long a letter may wait before somebody should know: it was tried, and was not taken.
DELAYED: Final = timedelta(minutes=15)

_TROUBLED: Final = (LetterState.FAILED, LetterState.BOUNCED, LetterState.COMPLAINED)
_OPEN_REFUNDS: Final = (RefundState.ASKED, RefundState.PENDING, RefundState.FAILED)


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that failed lately."""

    id: UUID
    number: int
    fail_reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Money:
    """A refund or a dispute, with the order that it belongs to if there is one."""

    order_id: UUID | None
    order_number: int | None
    name: str
    state: str
    amount_cents: int
    currency: str
    problem: str | None
    at: datetime
    is_test: bool


@dataclass(frozen=True, slots=True)
class Late:
    """An order whose customer waits for a text that was promised for an earlier moment."""

    id: UUID
    number: int
    promised_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """A published link, or an ordered article, that the monitor does not find. What nothing puts back by itself waits
    for an editor.
    """

    id: UUID
    number: int
    state: LinkState
    problem: str | None
    lost_at: datetime


@dataclass(frozen=True, slots=True)
class Unread:
    """An order whose customer has written and was not read."""

    id: UUID
    number: int
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Attention:
    """Everything on the first page but the truths."""

    failed: Sequence[Failed]
    failed_count: int
    refunds: Sequence[Money]
    disputes: Sequence[Money]
    events: Sequence[StripeEvent]
    letters: Sequence[EmailMessage]
    dead_jobs: int
    late: Sequence[Late]
    links: Sequence[Missing]
    messages: Sequence[Unread]


async def attention(session: AsyncSession, at: datetime) -> Attention:
    """What needs a person at this moment, in a fixed number of queries."""
    failed, failed_count = await _failed(session, at - RECENTLY)
    is_delayed = (EmailMessage.state == LetterState.QUEUED) & (EmailMessage.id < first_id(at - DELAYED))
    letters = (
        select(EmailMessage)
        .where(EmailMessage.id >= first_id(at - RECENTLY), or_(EmailMessage.state.in_(_TROUBLED), is_delayed))
        .order_by(EmailMessage.id.desc())
        .limit(SHOWN)
    )
    events = (
        select(StripeEvent)
        .where(StripeEvent.state == EventState.STRANDED)
        .order_by(StripeEvent.received_at)
        .limit(SHOWN)
    )
    dead = select(func.count()).where(JobRow.state == JobState.DEAD, JobRow.finished_at.is_not(None))
    return Attention(
        failed=failed,
        failed_count=failed_count,
        refunds=await _refunds(session),
        disputes=await _disputes(session),
        events=(await session.scalars(events)).all(),
        letters=(await session.scalars(letters)).all(),
        dead_jobs=await session.scalar(dead) or 0,
        late=await _late(session, at),
        links=await _missing_links(session),
        messages=await _unread(session),
    )


async def _failed(session: AsyncSession, since: datetime) -> tuple[list[Failed], int]:
    """The latest of those that failed since then, and how many did."""
    query = (
        select(Order.id, Order.number, Order.fail_reason, Order.updated_at, func.count().over())
        .where(Order.status == OrderStatus.FAILED, Order.updated_at > since)
        .order_by(Order.updated_at.desc())
        .limit(SHOWN)
    )
    rows = (await session.execute(query)).all()
    return [Failed(*row[:4]) for row in rows], rows[0][4] if rows else 0


async def _late(session: AsyncSession, at: datetime) -> list[Late]:
    query = (
        select(Order.id, Order.number, Order.promised_at)
        .where(
            UNREADY,
            Order.promised_at < at,
            Order.payment_state.in_(MOVABLE),
        )
        .order_by(Order.promised_at)
        .limit(SHOWN)
    )
    return [Late(*row) for row in await session.execute(query)]


async def _missing_links(session: AsyncSession) -> list[Missing]:
    """Those that need an editor first, then those that are being put back. None that was refunded meanwhile."""
    columns: tuple[Any, ...] = (
        Order.id,
        Order.number,
        Order.link_state,
        Order.link_problem,
        Order.link_lost_at,
    )
    query = (
        select(*columns)
        .where(Order.link_lost_at.is_not(None), Order.payment_state.not_in(NOT_OWED))
        .order_by(Order.link_state.desc(), Order.link_lost_at)
        .limit(SHOWN)
    )
    return [Missing(*row) for row in await session.execute(query)]


async def _unread(session: AsyncSession) -> list[Unread]:
    """The orders whose customers wait for an answer, the oldest message first."""
    since = func.min(Message.at)
    query = (
        select(Order.id, Order.number, func.count(), since)
        .join(Message, Message.order_id == Order.id)
        .where(Message.read_at.is_(None), Message.side == Side.CUSTOMER)
        .group_by(Order.id)
        .order_by(since)
        .limit(SHOWN)
    )
    return [Unread(*row) for row in await session.execute(query)]


async def _refunds(session: AsyncSession) -> list[Money]:
    """Money that should be on its way back. A refund that failed is shown until what is left has gone back."""
    is_open = or_(Refund.state != RefundState.FAILED, Checkout.refunded_cents < Checkout.captured_cents)
    query = (
        select(
            Order.id,
            Order.number,
            Refund.kind,
            Refund.state,
            Refund.amount_cents,
            Refund.currency,
            Refund.problem,
            Refund.created_at,
            ~Checkout.is_live,
        )
        .join(Checkout, Checkout.id == Refund.checkout_id)
        .outerjoin(Order, Order.checkout_id == Checkout.id)
        .where(Refund.state.in_(_OPEN_REFUNDS), is_open)
        .order_by(Refund.created_at)
        .limit(SHOWN)
    )
    return [Money(*row) for row in await session.execute(query)]


async def _disputes(session: AsyncSession) -> list[Money]:
    query = (
        select(
            Order.id,
            Order.number,
            Dispute.stripe_id,
            Dispute.status,
            Dispute.amount_cents,
            Dispute.currency,
            Dispute.reason,
            Dispute.opened_at,
            ~Checkout.is_live,
        )
        .join(Checkout, Checkout.id == Dispute.checkout_id)
        .outerjoin(Order, Order.checkout_id == Checkout.id)
        .where(Dispute.closed_at.is_(None))
        .order_by(Dispute.opened_at)
        .limit(SHOWN)
    )
    return [Money(*row) for row in await session.execute(query)]
