"""What the pages of drafts and orders read. Who may see what is part of each query, never of its caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ScalarSelect, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage
from models.orders.care.tables import Message
from models.orders.drafts import is_taken
from models.orders.rules import MOVABLE
from models.orders.states import OrderStatus, Side
from models.orders.tables import Article, Draft, Generation, Order, Site, Transition, Version
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout, Refund

#: A place in the queue further back than this is told as "more than".
QUEUE_LOOK: Final = 100

_AHEAD = text(
    """
    select count(*) from (
      select 1 from jobs
       where queue = :queue and state = 'waiting' and blocked_by is null
         and kind = :kind and (rank_at, id) < (:rank_at, :id)
       limit :most) ahead
    """
)


# ---------------------------------------------------------------- drafts
async def drafts_of(
    session: AsyncSession, person_id: UUID, payment: CheckoutState | None = None, *, limit: int = 3
) -> Sequence[tuple[UUID, str]]:
    """The person's latest drafts that have not become orders, those that can be paid or those whose `payment` is on
    its way: id, and the title of the article or its topic.
    """
    is_shown = ~is_taken() if payment is None else is_taken(payment)
    query = (
        select(Draft.id, func.coalesce(Article.title, Draft.topic))
        .outerjoin(Article, Article.id == Draft.article_id)
        .where(Draft.person_id == person_id, Draft.ordered_at.is_(None), is_shown)
        .order_by(Draft.id.desc())
        .limit(limit)
    )
    return [(draft_id, title) for draft_id, title in await session.execute(query)]


async def payment_of(
    session: AsyncSession, draft_id: UUID, person_id: UUID
) -> tuple[UUID | None, Checkout | None]:
    """The order that a draft of this person has become, if it has, and its latest attempt to be paid."""
    query = (
        select(Draft.id, Order.id, Checkout)
        .outerjoin(Order, Order.draft_id == Draft.id)
        .outerjoin(Checkout, Checkout.subject == func.concat("draft/", Draft.id))
        .where(Draft.id == draft_id, Draft.person_id == person_id)
        .order_by(Checkout.attempt.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such draft.")
    return row[1], row[2]


# ---------------------------------------------------------------- orders
@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as its customer's list shows it."""

    id: UUID
    number: int
    status: OrderStatus
    payment_state: PaymentState
    amount_cents: int
    currency: str
    review_due_at: datetime | None
    updated_at: datetime
    anchor_text: str
    title: str
    site_name: str
    #: Messages from the editors that this person has not read.
    unread: int


def unread_of(reader: Side) -> ScalarSelect[int]:
    """How many messages of an order its reader has not read: a column for lists of orders."""
    query = select(func.count()).where(
        Message.order_id == Order.id, Message.side == reader.other, Message.read_at.is_(None)
    )
    return query.correlate(Order).scalar_subquery()


async def orders_of(session: AsyncSession, person_id: UUID, cursor: str | None = None) -> Page[OrderRow]:
    """A page of a person's orders, the latest first. Raises `Invalid` for a cursor that we did not make."""
    columns: tuple[Any, ...] = (
        Order.id,
        Order.number,
        Order.status,
        Order.payment_state,
        Order.amount_cents,
        Order.currency,
        Order.review_due_at,
        Order.updated_at,
        Order.anchor_text,
        Article.title,
        Site.name,
        unread_of(Side.CUSTOMER),
    )
    query = (
        select(*columns)
        .join(Article, Article.id == Order.article_id)
        .join(Site, Site.id == Article.site_id)
        .where(Order.person_id == person_id)
        .order_by(Order.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        (before,) = decode_cursor(cursor, UUID)
        query = query.where(Order.id < before)
    rows = [OrderRow(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.id])


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with what stands around it. `job` is the one of its latest generation."""

    order: Order
    article: Article
    site: Site
    checkout: Checkout
    generation: Generation | None
    job: JobRow | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself: the work has ended, and no money is on its way."""
        has_ended = self.order.status in {OrderStatus.COMPLETED, OrderStatus.FAILED}
        return has_ended and self.payment_state is not PaymentState.REFUND_PENDING

    @property
    def is_late(self) -> bool:
        """Whether its text was promised for an earlier moment than now, and we have said so."""
        is_unready = self.order.status is OrderStatus.PROCESSING or self.is_held
        return is_unready and self.order.promise_broken_at is not None

    @property
    def is_held(self) -> bool:
        """Whether its newest version waits for an editor and has not been shown to the customer yet."""
        return self.order.status is OrderStatus.ADMIN_REVIEW and self.order.held_at is not None

    @property
    def payment_state(self) -> PaymentState:
        """What became of its money: the checkout knows it a moment before the order has followed."""
        return self.checkout.payment_state or self.order.payment_state

    @property
    def is_movable(self) -> bool:
        """Whether its money lets it go on."""
        return self.payment_state in MOVABLE

    @property
    def can_be_cancelled(self) -> bool:
        """Whether no worker has begun, so that the customer may still take it back."""
        first = self.generation if self.generation is not None and self.generation.number == 1 else None
        is_untouched = first is not None and first.started_at is None and first.finished_at is None
        return self.order.status is OrderStatus.PROCESSING and is_untouched and self.is_movable


async def order_view(session: AsyncSession, order_id: UUID, person_id: UUID) -> OrderView:
    """The order, if it is this person's. Raises `NotFound` for somebody else's as for one that does not exist."""
    query = (
        select(Order, Article, Site, Checkout, Generation, JobRow)
        .join(Article, Article.id == Order.article_id)
        .join(Site, Site.id == Article.site_id)
        .join(Checkout, Checkout.id == Order.checkout_id)
        .outerjoin(Generation, and_(Generation.order_id == Order.id, Generation.number == Order.generation))
        .outerjoin(JobRow, JobRow.id == Generation.job_id)
        .options(defer(Article.search))
        .where(Order.id == order_id, Order.person_id == person_id)
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return OrderView(*row)


async def bought_with(session: AsyncSession, checkout: Checkout) -> Sequence[tuple[UUID, int]]:
    """The other orders that were paid on one page with an order: id and number."""
    if checkout.basket_id is None:
        return []
    query = (
        select(Order.id, Order.number)
        .join(Checkout, Checkout.id == Order.checkout_id)
        .where(Checkout.basket_id == checkout.basket_id, Checkout.id != checkout.id)
        .order_by(Order.number)
    )
    return [(order_id, number) for order_id, number in await session.execute(query)]


async def versions_of(session: AsyncSession, view: OrderView) -> Sequence[Version]:
    """The versions of an order that its customer may see, newest first, without their texts."""
    query = (
        select(Version)
        .options(defer(Version.markdown, raiseload=True))
        .where(Version.order_id == view.order.id, Version.is_qc_passed)
        .order_by(Version.generation.desc())
    )
    if view.is_held:
        query = query.where(Version.id != view.order.version_id)
    return (await session.scalars(query)).all()


async def texts_of(session: AsyncSession, version: Version) -> tuple[str, str]:
    """The text that a version was made from, and its own."""
    wanted = [version.id, *([version.base_version_id] if version.base_version_id else [])]
    rows = await session.execute(select(Version.id, Version.markdown).where(Version.id.in_(wanted)))
    found = {row.id: row.markdown for row in rows}
    after = found[version.id]
    return found[version.base_version_id] if version.base_version_id else "", after


@dataclass(frozen=True, slots=True)
class LetterSent:
    """A letter to the order's customer."""

    kind: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happened to an order, oldest first in each part."""

    transitions: Sequence[Transition]
    letters: Sequence[LetterSent]
    refunds: Sequence[Refund]
    #: Each asking of the writer, with what the customer said about the version before it.
    generations: Sequence[Generation]


async def history_of(session: AsyncSession, view: OrderView) -> History:
    """What happened to this order: its moves, the letters to its customer, and its refunds."""
    order = view.order
    moves = select(Transition).where(Transition.order_id == order.id).order_by(Transition.id)
    # Letters to the staff are about the same order and are none of the customer's business.
    letters = (
        select(
            EmailMessage.kind,
            EmailMessage.state,
            func.coalesce(EmailMessage.sent_at, EmailMessage.created_at),
        )
        .where(EmailMessage.about == f"order/{order.id}", ~EmailMessage.kind.startswith("orders.admin_"))
        .order_by(EmailMessage.id)
    )
    refunds = select(Refund).where(Refund.checkout_id == order.checkout_id).order_by(Refund.created_at)
    generations = select(Generation).where(Generation.order_id == order.id).order_by(Generation.number)
    return History(
        (await session.scalars(moves)).all(),
        [LetterSent(*row) for row in await session.execute(letters)],
        (await session.scalars(refunds)).all(),
        (await session.scalars(generations)).all(),
    )


# ---------------------------------------------------------------- how long it takes
async def jobs_ahead(session: AsyncSession, job: JobRow) -> int | None:
    """How many orders will be taken up before this one; None if it is not waiting. Counts to `QUEUE_LOOK`."""
    if job.state is not JobState.WAITING:
        return None
    place = {"queue": job.queue, "kind": job.kind, "rank_at": job.rank_at, "id": job.id, "most": QUEUE_LOOK}
    return int((await session.execute(_AHEAD, place)).scalar_one())
