"""One field for everything: an order's number, an address, a target's domain, a name of Stripe's, an invoice's number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.accounts import queries as accounts
from models.accounts.tables import Person, Session
from models.base.clock import now
from models.mail.tables import EmailMessage
from models.orders.desk.queries import Filter, Found, found_orders
from models.orders.tables import Order
from models.payments.invoices import papers_of
from models.payments.queries import checkouts_named, payments_of
from models.payments.tables import Checkout, Invoice

#: How much of each kind is shown; the lists have pages for the rest.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Payment:
    """An attempt to pay, with its order if it has one."""

    checkout: Checkout
    order_id: UUID | None
    order_number: int | None


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found, the latest first in each part. `has_more` tells that a list has further orders."""

    orders: Sequence[Found]
    has_more_orders: bool
    payments: Sequence[Payment]
    people: Sequence[Person]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.orders or self.payments or self.people)


async def search(session: AsyncSession, query: str, *, with_people: bool) -> Hits:
    """Everything that `query` may mean. Nothing is found for nothing."""
    query = query.strip()
    if not query:
        return Hits([], has_more_orders=False, payments=[], people=[])
    orders = (await found_orders(session, Filter(query=query))).items
    named = checkouts_named(query)
    payments = await _payments(session, Checkout.id.in_(named)) if named is not None else []
    people: Sequence[Person] = []
    if with_people and named is None and not query.isdecimal():
        people = (await accounts.people(session, search=query)).items
    return Hits(orders[:SHOWN], len(orders) > SHOWN, payments, people[:SHOWN])


async def _payments(session: AsyncSession, condition: Any) -> list[Payment]:
    query = (
        select(Checkout, Order.id, Order.number)
        .outerjoin(Order, Order.checkout_id == Checkout.id)
        .where(condition)
        .order_by(Checkout.id.desc())
        .limit(SHOWN)
    )
    return [Payment(*row) for row in await session.execute(query)]


# ---------------------------------------------------------------- one customer
@dataclass(frozen=True, slots=True)
class Customer:
    """Everything about one person that an operator needs when they write or call."""

    person: Person
    orders: Sequence[Found]
    order_count: int
    payments: Sequence[Checkout]
    invoices: Sequence[Invoice]
    letters: Sequence[EmailMessage]
    session_count: int


async def customer(session: AsyncSession, person_id: UUID) -> Customer:
    """One person, in a fixed number of queries. Raises `NotFound`."""
    person = await accounts.person(session, person_id)
    letters = (
        select(EmailMessage)
        .options(defer(EmailMessage.sealed_mime), defer(EmailMessage.sealed_facts))
        .where(EmailMessage.to_address == person.email)
        .order_by(EmailMessage.id.desc())
        .limit(SHOWN)
    )
    count = select(func.count()).select_from(Order).where(Order.person_id == person_id)
    is_open = (Session.revoked_at.is_(None), Session.expires_at > now())
    open_sessions = select(func.count()).select_from(Session).where(Session.person_id == person_id, *is_open)
    payments = await payments_of(session, person_id, SHOWN)
    return Customer(
        person=person,
        orders=(await found_orders(session, Filter(query=person.email))).items[:SHOWN],
        order_count=await session.scalar(count) or 0,
        payments=payments,
        invoices=await papers_of(session, [one.id for one in payments]),
        letters=(await session.scalars(letters)).all(),
        session_count=await session.scalar(open_sessions) or 0,
    )
