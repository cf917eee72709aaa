"""What the shop takes, gives back and spends on models: sums over time, and the margin of each order.

Revenue is what live payments brought, less what was given back or lost in disputes. Test payments are summed
apart and are never revenue. Models are paid in US dollars (`usage.rules.CURRENCY`), also for test orders; a margin is
told where the order was paid in that currency, for no rate is guessed here.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Select, case, cast, func, select
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.db import Database
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.orders.states import OrderStatus
from models.orders.tables import Order
from models.payments.states import PaymentState, RefundState
from models.payments.tables import Checkout, Dispute, Refund
from models.usage.rules import CURRENCY
from models.usage.tables import ModelCallRow

MODEL_CURRENCY: Final = CURRENCY.lower()
LOST: Final = "lost"
AT_ONCE: Final = 500


class Period(StrEnum):
    """What sums are made over. Days, weeks (from Monday) and months are those of UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


#: How many periods are shown.
SHOWN: Final = {Period.DAY: 30, Period.WEEK: 12, Period.MONTH: 12}


@dataclass(slots=True)
class Sums:
    """What happened to money in one period and one currency, in cents; `model_cents` are US cents."""

    payments: int = 0
    taken: int = 0
    given_back: int = 0
    lost: int = 0
    model_cents: Decimal = Decimal(0)

    @property
    def revenue(self) -> int:
        """What is left of what was taken."""
        return self.taken - self.given_back - self.lost


@dataclass(frozen=True, slots=True)
class Account:
    """The money of one currency over time, oldest first."""

    currency: str
    periods: Sequence[tuple[datetime, Sums]]
    total: Sums

    @property
    def margin(self) -> int | None:
        """Revenue less what models cost, in cents; None if the two are in different currencies."""
        if self.currency != MODEL_CURRENCY:
            return None
        return round(self.total.revenue - self.total.model_cents)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Live money by currency, the largest first; test money by currency; what models cost in all, in US cents."""

    accounts: Sequence[Account]
    tests: Sequence[Account]
    live_model_cents: Decimal
    test_model_cents: Decimal


def beginnings(period: Period, at: datetime) -> list[datetime]:
    """When the periods that are shown begin, oldest first; the last one is under way."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    count = SHOWN[period]
    if period is Period.DAY:
        return [day - timedelta(days=back) for back in reversed(range(count))]
    if period is Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return [monday - timedelta(weeks=back) for back in reversed(range(count))]
    months = day.year * 12 + day.month - 1
    return [
        datetime((months - back) // 12, (months - back) % 12 + 1, 1, tzinfo=UTC)
        for back in reversed(range(count))
    ]


async def ledger(session: AsyncSession, period: Period, at: datetime) -> Ledger:
    """The sums of the last periods, in four queries."""
    starts = beginnings(period, at)
    book = _Book(starts)
    for begins, is_live, code, cents, count in await session.execute(_taken(period, starts[0])):
        sums = book.of(begins, code, is_live=is_live)
        sums.taken, sums.payments = int(cents), count
    for begins, is_live, code, cents in await session.execute(_given_back(period, starts[0])):
        book.of(begins, code, is_live=is_live).given_back = int(cents)
    for begins, is_live, code, cents in await session.execute(_lost(period, starts[0])):
        book.of(begins, code, is_live=is_live).lost = int(cents)
    costs = {True: Decimal(0), False: Decimal(0)}
    for begins, is_live, cents in await session.execute(_models(period, starts[0])):
        book.of(begins, MODEL_CURRENCY, is_live=is_live).model_cents = Decimal(cents)
        costs[is_live] += Decimal(cents)
    return Ledger(book.accounts(is_live=True), book.accounts(is_live=False), costs[True], costs[False])


@dataclass(frozen=True, slots=True)
class _Book:
    starts: Sequence[datetime]
    rows: dict[tuple[bool, str], dict[datetime, Sums]] = field(default_factory=dict)

    def of(self, begins: datetime, currency: str, *, is_live: bool) -> Sums:
        periods = self.rows.setdefault((is_live, currency), {})
        return periods.setdefault(begins.replace(tzinfo=UTC), Sums())

    def accounts(self, *, is_live: bool) -> list[Account]:
        found = [
            Account(
                currency,
                [(start, periods.get(start, Sums())) for start in self.starts],
                _total(periods.values()),
            )
            for (live, currency), periods in self.rows.items()
            if live is is_live
        ]
        # An account in which nothing but models' cost stands is none: that is told beside them.
        kept = [one for one in found if one.total.payments or one.total.given_back or one.total.lost]
        return sorted(kept, key=lambda one: -one.total.taken)


def _total(rows: Any) -> Sums:
    total = Sums()
    for one in rows:
        total.payments += one.payments
        total.taken += one.taken
        total.given_back += one.given_back
        total.lost += one.lost
        total.model_cents += one.model_cents
    return total


def _begins(period: Period, moment: Any) -> Any:
    return func.date_trunc(period.value, func.timezone("UTC", moment))


def _currency() -> Any:
    return func.coalesce(Checkout.captured_currency, Checkout.currency)


def _taken(period: Period, since: datetime) -> Select[Any]:
    begins = _begins(period, Checkout.paid_at)
    return (
        select(begins, Checkout.is_live, _currency(), func.sum(Checkout.captured_cents), func.count())
        .where(Checkout.paid_at >= since)
        .group_by(begins, Checkout.is_live, _currency())
    )


def _given_back(period: Period, since: datetime) -> Select[Any]:
    begins = _begins(period, Refund.settled_at)
    return (
        select(begins, Checkout.is_live, Refund.currency, func.sum(Refund.amount_cents))
        .join(Checkout, Checkout.id == Refund.checkout_id)
        .where(Refund.state == RefundState.SUCCEEDED, Refund.settled_at >= since)
        .group_by(begins, Checkout.is_live, Refund.currency)
    )


def _lost(period: Period, since: datetime) -> Select[Any]:
    begins = _begins(period, Dispute.closed_at)
    return (
        select(begins, Checkout.is_live, Dispute.currency, func.sum(Dispute.amount_cents))
        .join(Checkout, Checkout.id == Dispute.checkout_id)
        .where(Dispute.status == LOST, Dispute.closed_at >= since)
        .group_by(begins, Checkout.is_live, Dispute.currency)
    )


def _models(period: Period, since: datetime) -> Select[Any]:
    begins = _begins(period, ModelCallRow.started_at)
    is_order = ModelCallRow.subject.startswith("order/", autoescape=True)
    order_id = case((is_order, cast(func.substr(ModelCallRow.subject, 7), PG_UUID(as_uuid=True))))
    is_live = func.coalesce(~Order.is_test, False)
    return (
        select(begins, is_live, func.sum(func.coalesce(ModelCallRow.cost_cents, ModelCallRow.reserved_cents)))
        .outerjoin(Order, Order.id == order_id)
        .where(ModelCallRow.started_at >= since)
        .group_by(begins, is_live)
    )


# ---------------------------------------------------------------- one order after the other
@dataclass(frozen=True, slots=True)
class OrderMoney:
    """An order's money, in cents of its currency; `model_cents` are US cents."""

    id: UUID
    number: int
    is_test: bool
    status: OrderStatus
    payment_state: PaymentState
    created_at: datetime
    paid_at: datetime | None
    email: str
    currency: str
    taken: int
    given_back: int
    session_id: str | None
    intent_id: str | None
    charge_id: str | None
    lost: int
    model_cents: Decimal

    @property
    def revenue(self) -> int:
        """What is left of what was paid."""
        return self.taken - self.given_back - self.lost

    @property
    def margin(self) -> int | None:
        """That, less what models cost; None if the two are in different currencies."""
        return round(self.revenue - self.model_cents) if self.currency == MODEL_CURRENCY else None


async def money_of_orders(
    session: AsyncSession, *, is_test: bool = False, cursor: str | None = None
) -> Page[OrderMoney]:
    """A page of live orders, or of test ones, the latest first, in two queries."""
    before = decode_cursor(cursor, UUID)[0] if cursor else None
    rows = await _orders(session, before, PAGE_SIZE + 1, is_test=is_test)
    return page_of(rows, PAGE_SIZE, lambda one: [one.id])


async def every_order(database: Database) -> AsyncIterator[Sequence[OrderMoney]]:
    """Every order there is, the latest first, some hundred at a time: no transaction stays open between two lots."""
    before: UUID | None = None
    while True:
        async with database.transaction() as session:
            rows = await _orders(session, before, AT_ONCE, is_test=None)
        if rows:
            yield rows
        if len(rows) < AT_ONCE:
            return
        before = rows[-1].id


async def _orders(
    session: AsyncSession, before: UUID | None, limit: int, *, is_test: bool | None
) -> list[OrderMoney]:
    lost = select(func.sum(Dispute.amount_cents)).where(
        Dispute.checkout_id == Checkout.id, Dispute.status == LOST
    )
    columns: tuple[Any, ...] = (
        Order.id,
        Order.number,
        Order.is_test,
        Order.status,
        Order.payment_state,
        Order.created_at,
        Checkout.paid_at,
        Person.email,
        _currency(),
        Checkout.captured_cents,
        Checkout.refunded_cents,
        Checkout.session_id,
        Checkout.payment_intent_id,
        Checkout.charge_id,
        cast(func.coalesce(lost.scalar_subquery(), 0), BigInteger),
    )
    query = (
        select(*columns)
        .join(Checkout, Checkout.id == Order.checkout_id)
        .join(Person, Person.id == Order.person_id)
        .order_by(Order.id.desc())
        .limit(limit)
    )
    if is_test is not None:
        query = query.where(Order.is_test == is_test)
    if before is not None:
        query = query.where(Order.id < before)
    rows: Sequence[Any] = (await session.execute(query)).all()
    costs = await _costs(session, [row[0] for row in rows])
    return [OrderMoney(*[*row, costs.get(row[0], Decimal(0))]) for row in rows]


async def _costs(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What models cost for these orders, in US cents; calls that have not ended count with what they reserved."""
    subjects = {f"order/{one}": one for one in order_ids}
    cost = func.sum(func.coalesce(ModelCallRow.cost_cents, ModelCallRow.reserved_cents))
    query = (
        select(ModelCallRow.subject, cost)
        .where(ModelCallRow.subject.in_(list(subjects)))
        .group_by(ModelCallRow.subject)
    )
    found = await session.execute(query) if subjects else ()
    return {subjects[subject]: Decimal(cents) for subject, cents in found}


# ---------------------------------------------------------------- disputes
@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute, with its order if there is one."""

    dispute: Dispute
    is_live: bool
    order_id: UUID | None
    order_number: int | None


async def disputes(session: AsyncSession, cursor: str | None = None) -> Page[Disputed]:
    """A page of every dispute, the latest first."""
    query = (
        select(Dispute, Checkout.is_live, Order.id, Order.number)
        .join(Checkout, Checkout.id == Dispute.checkout_id)
        .outerjoin(Order, Order.checkout_id == Checkout.id)
        .order_by(Dispute.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor:
        query = query.where(Dispute.id < decode_cursor(cursor, UUID)[0])
    rows = [Disputed(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda one: [one.dispute.id])
