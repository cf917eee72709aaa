"""Sets of data about orders and their money, for reports."""

from typing import Final

from sqlalchemy import func, select

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from models.exports.data_sets import Cell, DataSet, Lots, counted
from models.orders.desk.money import Account, OrderMoney, Period, every_order, ledger
from models.orders.rules import order_number
from models.orders.tables import Order
from models.payments.tables import Checkout

_MONEY_COLUMNS: Final = ("order", "status", "payment", "is_test", "currency", "paid_cents", "refunded_cents")


async def _all_orders(database: Database, _person: Person) -> Lots:
    async for lot in every_order(database):
        yield [
            (*_money(one), one.lost, one.model_cents, one.created_at, one.paid_at, one.email) for one in lot
        ]


def _money(one: OrderMoney) -> tuple[Cell, ...]:
    status, payment = one.status.value, one.payment_state.value
    return order_number(one.number), status, payment, one.is_test, one.currency, one.taken, one.given_back


async def _own_orders(database: Database, person: Person) -> Lots:
    query = (
        select(Order, Checkout)
        .join(Checkout, Checkout.id == Order.checkout_id)
        .where(Order.person_id == person.id)
        .order_by(Order.id.desc())
    )
    async with database.transaction() as session:
        found = (await session.execute(query)).all()
    yield [
        (
            order_number(order.number),
            order.status.value,
            order.payment_state.value,
            order.is_test,
            order.currency,
            checkout.captured_cents,
            checkout.refunded_cents,
            order.created_at,
        )
        for order, checkout in found
    ]


async def _revenue(database: Database, _person: Person) -> Lots:
    async with database.transaction() as session:
        book = await ledger(session, Period.MONTH, now())
    yield [row for account in book.accounts for row in _months(account)]


def _months(account: Account) -> list[tuple[Cell, ...]]:
    return [
        (
            f"{begins:%Y-%m}",
            account.currency,
            sums.payments,
            sums.taken,
            sums.given_back,
            sums.lost,
            sums.revenue,
        )
        for begins, sums in account.periods
    ]


DATA_SETS: Final = (
    DataSet("my-orders", "Your orders", Role.CUSTOMER, (*_MONEY_COLUMNS, "ordered"), _own_orders),
    DataSet(
        "orders",
        "Every order with its money",
        Role.ADMIN,
        (*_MONEY_COLUMNS, "lost_cents", "model_us_cents", "ordered", "paid", "customer"),
        _all_orders,
    ),
    DataSet(
        "orders-by-month",
        "Orders by month and status",
        Role.EDITOR,
        ("month", "status", "is_test", "orders"),
        counted(
            select(
                month := func.to_char(func.timezone("UTC", Order.created_at), "YYYY-MM"),
                Order.status,
                Order.is_test,
                func.count(),
            )
            .group_by(month, Order.status, Order.is_test)
            .order_by(month, Order.status, Order.is_test)
        ),
    ),
    DataSet(
        "revenue",
        "Revenue of the last twelve months, live payments only",
        Role.ADMIN,
        ("month", "currency", "payments", "taken_cents", "refunded_cents", "lost_cents", "revenue_cents"),
        _revenue,
    ),
)
