"""What editors see of orders: the queue of those that wait for them, the search, and everything about one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, false, func, literal, literal_column, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer

from models.accounts.tables import AuditEntry, Person
from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, page_of
from models.jobs.queries import Record, records_of
from models.mail.tables import EmailMessage
from models.orders.care.messages import Line, messages_of
from models.orders.care.tables import LinkCheck
from models.orders.queries import OrderView, bought_with, order_view, unread_of
from models.orders.states import OrderStatus, Side
from models.orders.tables import Article, Generation, Order, Site, Transition, Version
from models.payments.queries import checkouts_named
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Dispute, Refund

_NUMBER: Final = re.compile(r"(?:g-)?(\d{1,15})", re.IGNORECASE)
_WORD: Final = re.compile(r"\w+")
_HOST: Final = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")

#: So many articles are named in a search for orders; it asks for more by what they have in common.
FEW: Final = 500

#: Looks at a published link that the page of an order shows.
CHECKS_SHOWN: Final = 10

#: The target's domain backwards, in the very words of the index `orders_target_host`, or that would not be used.
_TARGET_HOST: Final[ColumnElement[str]] = literal_column(
    "reverse(lower(split_part(split_part(orders.target_url, '/', 3), ':', 1)) COLLATE \"C\")", Text
)


# ---------------------------------------------------------------- the review queue
@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that waits for an editor."""

    id: UUID
    number: int
    submitted_at: datetime
    is_test: bool
    payment_state: PaymentState
    anchor_text: str
    target_url: str
    title: str
    site_name: str
    email: str
    #: The version's number as its customer counts: the generation that made it.
    version: int
    needs_editor: bool
    #: How sure the basic writer was of the place, from 0 to 1; None for other writers.
    score: float | None
    #: Its customer has not seen it yet.
    is_held: bool
    #: The article has moved since: approving makes the placement anew.
    is_moved: bool
    #: Messages from its customer that no editor has read.
    unread: int


async def review_queue(
    session: AsyncSession, cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Waiting]:
    """A page of what waits for an editor, the oldest first. Raises `Invalid` for a cursor that we did not make."""
    columns: tuple[Any, ...] = (
        Order.id,
        Order.number,
        Order.submitted_at,
        Order.is_test,
        Order.payment_state,
        Order.anchor_text,
        Order.target_url,
        Article.title,
        Site.name,
        Person.email,
        func.coalesce(Version.generation, Version.number),
        Version.needs_editor,
        Version.edit["score"].as_float(),
        Order.held_at.is_not(None),
        Article.published_version_id.is_distinct_from(Version.base_version_id),
        unread_of(Side.EDITOR),
    )
    query = (
        select(*columns)
        .join(Article, Article.id == Order.article_id)
        .join(Site, Site.id == Article.site_id)
        .join(Person, Person.id == Order.person_id)
        .join(Version, Version.id == Order.submitted_version_id)
        .where(Order.status == OrderStatus.ADMIN_REVIEW)
        .order_by(Order.submitted_at, Order.id)
        .limit(size + 1)
    )
    if cursor is not None:
        after = tuple_(*decode_cursor(cursor, instant, UUID))
        query = query.where(tuple_(Order.submitted_at, Order.id) > after)
    rows = [Waiting(*row) for row in await session.execute(query)]
    return page_of(rows, size, lambda row: [row.submitted_at, row.id])


async def waiting_for_review(session: AsyncSession) -> tuple[int, datetime | None]:
    """How many orders wait for an editor, and since when the oldest of them does."""
    query = select(func.count(), func.min(Order.submitted_at)).where(Order.status == OrderStatus.ADMIN_REVIEW)
    count, oldest = (await session.execute(query)).one()
    return count, oldest


async def next_for_review(session: AsyncSession, order: Order) -> tuple[UUID | None, int]:
    """The order that waits for an editor behind this one, or else the first that does; and how many wait beside it."""
    # One that went back to its customer has no place any more: nothing is before it, and the first is next.
    place = literal(order.submitted_at, Order.submitted_at.type)
    is_before = tuple_(Order.submitted_at, Order.id) < tuple_(place, literal(order.id))
    query = (
        select(Order.id, func.count().over())
        .where(Order.status == OrderStatus.ADMIN_REVIEW, Order.id != order.id)
        .order_by(is_before, Order.submitted_at, Order.id)
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return (row[0], row[1]) if row else (None, 0)


# ---------------------------------------------------------------- all orders
@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders are wanted. What is empty or None does not matter."""

    query: str = ""
    status: OrderStatus | None = None
    payment_state: PaymentState | None = None
    site: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An order as the editors' list shows it."""

    id: UUID
    number: int
    status: OrderStatus
    payment_state: PaymentState
    amount_cents: int
    currency: str
    is_test: bool
    target_url: str
    created_at: datetime
    updated_at: datetime
    title: str
    site_name: str
    email: str
    #: Messages from its customer that no editor has read.
    unread: int


async def found_orders(session: AsyncSession, wanted: Filter, cursor: str | None = None) -> Page[Found]:
    """A page of the orders that were asked for, the latest first. Raises `Invalid` for a cursor that is not ours."""
    columns: tuple[Any, ...] = (
        Order.id,
        Order.number,
        Order.status,
        Order.payment_state,
        Order.amount_cents,
        Order.currency,
        Order.is_test,
        Order.target_url,
        Order.created_at,
        Order.updated_at,
        Article.title,
        Site.name,
        Person.email,
        unread_of(Side.EDITOR),
    )
    query = (
        select(*columns)
        .join(Article, Article.id == Order.article_id)
        .join(Site, Site.id == Article.site_id)
        .join(Person, Person.id == Order.person_id)
        .where(*await _conditions(session, wanted))
        .order_by(Order.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        query = query.where(Order.id < decode_cursor(cursor, UUID)[0])
    rows = [Found(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.id])


async def _conditions(session: AsyncSession, wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query := wanted.query.strip():
        found.append(await _matches(session, query))
    if wanted.status is not None:
        found.append(Order.status == wanted.status)
    if wanted.payment_state is not None:
        found.append(Order.payment_state == wanted.payment_state)
    if wanted.site:
        of_site = select(Article.id).join(Site, Site.id == Article.site_id).where(Site.slug == wanted.site)
        found.append(await _is_in(session, of_site))
    return found


async def _matches(session: AsyncSession, query: str) -> ColumnElement[bool]:
    """What was typed is a number, a whole address, a name of Stripe's, or else words of the title or the end of the
    target's domain.
    """
    if number := _NUMBER.fullmatch(query):
        return Order.number == int(number[1])
    if "@" in query:
        return Order.person_id.in_(select(Person.id).where(Person.email == query.lower()))
    if (payments := checkouts_named(query)) is not None:
        return Order.checkout_id.in_(payments)
    ways: list[ColumnElement[bool]] = []
    if words := _WORD.findall(query):
        beginnings = func.to_tsquery("simple", " & ".join(f"{word}:*" for word in words))
        ways.append(await _is_in(session, select(Article.id).where(Article.search.op("@@")(beginnings))))
    if _HOST.fullmatch(host := query.lower().rstrip("./")):
        ways.append(_TARGET_HOST.like(f"{host[::-1]}%"))
    return or_(false(), *ways)


async def _is_in(session: AsyncSession, articles: Select[UUID]) -> ColumnElement[bool]:
    """Orders in these articles.

    Few articles are named one by one: PostgreSQL knows then how many orders they have. Of a subquery it believes that
    it finds some soon, and reads every order for what nothing is in. For what much is in, it is right.
    """
    few = (await session.scalars(articles.limit(FEW + 1))).all()
    if not few:
        return false()
    return Order.article_id.in_(articles if len(few) > FEW else few)


async def sites(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """Every publication, open or not: slug and name."""
    query = select(Site.slug, Site.name).order_by(Site.name)
    return [(slug, name) for slug, name in await session.execute(query)]


# ---------------------------------------------------------------- one order
@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything about one order. Texts are left where they are."""

    view: OrderView
    customer: Person
    #: Newest first; also those that the customer was not shown.
    versions: Sequence[Version]
    generations: Sequence[Generation]
    #: Each move with the address of the person who made it, if a person did; oldest first.
    moves: Sequence[tuple[Transition, str | None]]
    letters: Sequence[EmailMessage]
    #: Every attempt to pay for the draft: a second one that was paid goes back.
    checkouts: Sequence[Checkout]
    #: The other orders that were paid on one page with it: id and number.
    together: Sequence[tuple[UUID, int]]
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]
    jobs: Sequence[Record]
    #: The latest looks at its published link, newest first.
    checks: Sequence[LinkCheck]
    messages: Sequence[Line]
    #: With the address of whoever acted; newest first.
    audit: Sequence[tuple[AuditEntry, str | None]]

    @property
    def submitted(self) -> Version | None:
        """The version that waits for the editor."""
        wanted = self.view.order.submitted_version_id
        return next((one for one in self.versions if one.id == wanted), None)

    @property
    def is_moved(self) -> bool:
        """Whether the article's published text is no longer the one that the submitted version was made from."""
        submitted = self.submitted
        return (
            submitted is not None
            and self.view.order.status is OrderStatus.ADMIN_REVIEW
            and submitted.base_version_id != self.view.article.published_version_id
        )


async def anybodys_order(session: AsyncSession, order_id: UUID) -> tuple[OrderView, Person]:
    """The order and its customer, for whoever may see every order. Raises `NotFound`."""
    whose = select(Person).join(Order, Order.person_id == Person.id).where(Order.id == order_id)
    customer = (await session.scalars(whose)).one_or_none()
    if customer is None:
        raise NotFound("There is no such order.")
    return await order_view(session, order_id, customer.id), customer


async def dossier(session: AsyncSession, order_id: UUID) -> Dossier:
    """Everything about this order, in a fixed number of queries. Raises `NotFound`."""
    view, customer = await anybodys_order(session, order_id)
    about, order = f"order/{order_id}", view.order
    versions = (
        select(Version)
        .options(defer(Version.markdown, raiseload=True))
        .where(Version.order_id == order_id)
        .order_by(Version.generation.desc(), Version.number.desc())
    )
    generations = select(Generation).where(Generation.order_id == order_id).order_by(Generation.number.desc())
    letters = (
        select(EmailMessage)
        .options(defer(EmailMessage.sealed_mime), defer(EmailMessage.sealed_facts))
        .where(EmailMessage.about == about)
        .order_by(EmailMessage.id.desc())
    )
    checkouts = (
        select(Checkout).where(Checkout.subject == f"draft/{order.draft_id}").order_by(Checkout.attempt)
    )
    paid = (await session.scalars(checkouts)).all()
    ids = [one.id for one in paid]
    refunds = select(Refund).where(Refund.checkout_id.in_(ids)).order_by(Refund.created_at)
    disputes = select(Dispute).where(Dispute.checkout_id.in_(ids)).order_by(Dispute.opened_at)
    return Dossier(
        view=view,
        customer=customer,
        versions=(await session.scalars(versions)).all(),
        generations=(await session.scalars(generations)).all(),
        moves=await _moves(session, order_id),
        letters=(await session.scalars(letters)).all(),
        checkouts=paid,
        together=await bought_with(session, view.checkout),
        refunds=(await session.scalars(refunds)).all(),
        disputes=(await session.scalars(disputes)).all(),
        jobs=await records_of(session, [about, f"draft/{order.draft_id}"]),
        checks=await _checks(session, order_id) if order.completed_at is not None else [],
        messages=await messages_of(session, order_id),
        audit=await _audit(session, about),
    )


async def _moves(session: AsyncSession, order_id: UUID) -> list[tuple[Transition, str | None]]:
    query = (
        select(Transition, Person.email)
        .outerjoin(Person, Person.id == Transition.actor_id)
        .where(Transition.order_id == order_id)
        .order_by(Transition.id)
    )
    return [(move, email) for move, email in await session.execute(query)]


async def _checks(session: AsyncSession, order_id: UUID) -> Sequence[LinkCheck]:
    query = select(LinkCheck).where(LinkCheck.order_id == order_id).order_by(LinkCheck.id.desc())
    return (await session.scalars(query.limit(CHECKS_SHOWN))).all()


async def _audit(session: AsyncSession, subject: str) -> list[tuple[AuditEntry, str | None]]:
    actor = aliased(Person)
    query = (
        select(AuditEntry, actor.email)
        .outerjoin(actor, actor.id == AuditEntry.actor_id)
        .where(AuditEntry.subject == subject)
        .order_by(AuditEntry.id.desc())
        .limit(PAGE_SIZE)
    )
    return [(entry, email) for entry, email in await session.execute(query)]
