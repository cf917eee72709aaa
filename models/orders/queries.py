"""What the pages of orders read. Who may see what is part of each query, never of its caller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, page_of
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage
from models.orders.jobs import IntegrateBacklink
from models.orders.rules import MOVABLE
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Draft, Generation, Order, Site, Transition, Version
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Refund

CATALOGUE_PAGE: Final = 24
#: A place in the queue further back than this is told as "more than".
QUEUE_LOOK: Final = 100

_SLUG = re.compile(r"[\w.-]+")
_WORD = re.compile(r"\w+")
_OPERATORS = re.compile(r'["-]|\bor\b', re.IGNORECASE)

_AHEAD = text(
    """
    select count(*) from (
      select 1 from jobs
       where queue = :queue and state = 'waiting' and kind = :kind and (rank_at, id) < (:rank_at, :id)
       limit :most) ahead
    """
)
# Of the latest jobs of any kind, so that the question costs the same however many were finished.
_USUAL = text(
    """
    select percentile_cont(0.5) within group (order by recent.finished_at - recent.started_at)
      from (select kind, state, started_at, finished_at from jobs
             where finished_at is not null order by finished_at desc limit 400) recent
     where recent.kind = :kind and recent.state = 'completed'
    """
)


# ---------------------------------------------------------------- the catalogue
class Sort(StrEnum):
    """In which order articles are shown."""

    NEWEST = "newest"
    CHEAPEST = "cheapest"
    DEAREST = "dearest"


@dataclass(frozen=True, slots=True)
class Search:
    """Which articles are wanted. What is empty or None does not matter."""

    query: str = ""
    niche: str = ""
    language: str = ""
    site: str = ""
    min_cents: int | None = None
    max_cents: int | None = None
    sort: Sort = Sort.NEWEST


@dataclass(frozen=True, slots=True)
class Listed:
    """An article as lists show it: facts alone, no text."""

    id: UUID
    slug: str
    title: str
    topic: str
    summary: str
    price_cents: int
    currency: str
    word_count: int
    link_count: int
    placement_count: int
    published_at: datetime
    site_slug: str
    site_name: str
    domain: str
    niche: str
    language: str
    max_placements: int

    @property
    def places_left(self) -> int:
        """How many more links will be sold in it."""
        return max(0, self.max_placements - self.placement_count)


_LISTED: Final[tuple[Any, ...]] = (
    Article.id,
    Article.slug,
    Article.title,
    Article.topic,
    Article.summary,
    Article.price_cents,
    Article.currency,
    Article.word_count,
    Article.link_count,
    Article.placement_count,
    Article.published_at,
    Site.slug,
    Site.name,
    Site.domain,
    Site.niche,
    Site.language,
    Site.max_links_per_article,
)
_FOR_SALE: Final = and_(Article.status == ArticleStatus.PUBLISHED, Site.is_open)


async def catalogue(
    session: AsyncSession, search: Search, cursor: str | None = None, size: int = CATALOGUE_PAGE
) -> Page[Listed]:
    """A page of the articles in which a link can be bought. Raises `Invalid` for a cursor that we did not make."""
    query = select(*_LISTED).join(Site, Site.id == Article.site_id).where(_FOR_SALE, *_conditions(search))
    query = _after(_ordered(query, search.sort), search.sort, cursor).limit(size + 1)
    rows = [Listed(*row) for row in await session.execute(query)]
    if search.sort is Sort.NEWEST:
        return page_of(rows, size, lambda row: [row.published_at, row.id])
    return page_of(rows, size, lambda row: [row.price_cents, row.id])


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if search.query.strip():
        found.append(_matches(search.query))
    if search.niche:
        found.append(Site.niche == search.niche)
    if search.language:
        found.append(Site.language == search.language)
    if search.site:
        found.append(Site.slug == search.site)
    if search.min_cents is not None:
        found.append(Article.price_cents >= search.min_cents)
    if search.max_cents is not None:
        found.append(Article.price_cents <= search.max_cents)
    return found


def _matches(words: str) -> ColumnElement[bool]:
    """Quotes, minus and "or" as in a search engine; without them, the beginnings of words are enough."""
    wanted: Any = func.websearch_to_tsquery("simple", words)
    parts = _WORD.findall(words)
    if parts and not _OPERATORS.search(words):
        beginnings = " & ".join(f"{part}:*" for part in parts)
        wanted = wanted.op("||")(func.to_tsquery("simple", beginnings))
    matching: ColumnElement[bool] = Article.search.op("@@")(wanted)
    return matching


def _ordered(query: Select[Any], sort: Sort) -> Select[Any]:
    match sort:
        case Sort.NEWEST:
            return query.order_by(Article.published_at.desc(), Article.id.desc())
        case Sort.CHEAPEST:
            return query.order_by(Article.price_cents, Article.id)
        case Sort.DEAREST:
            return query.order_by(Article.price_cents.desc(), Article.id.desc())


def _after(query: Select[Any], sort: Sort, cursor: str | None) -> Select[Any]:
    if cursor is None:
        return query
    if sort is Sort.NEWEST:
        return query.where(
            tuple_(Article.published_at, Article.id) < tuple_(*decode_cursor(cursor, instant, UUID))
        )
    here, there = tuple_(Article.price_cents, Article.id), tuple_(*decode_cursor(cursor, int, UUID))
    return query.where(here > there if sort is Sort.CHEAPEST else here < there)


@dataclass(frozen=True, slots=True)
class Offer:
    """A site by which articles can be filtered."""

    slug: str
    name: str
    niche: str
    language: str


async def offers(session: AsyncSession) -> list[Offer]:
    """The open sites, by name."""
    query = select(Site.slug, Site.name, Site.niche, Site.language).where(Site.is_open).order_by(Site.name)
    return [Offer(*row) for row in await session.execute(query)]


def _must_be_slugs(*parts: str) -> None:
    # An address can hold what PostgreSQL does not take, such as NUL.
    if not all(_SLUG.fullmatch(part) for part in parts):
        raise NotFound("There is no page at this address.")


async def open_site(session: AsyncSession, slug: str) -> Site:
    """A site that sells placements. Raises `NotFound`."""
    _must_be_slugs(slug)
    site = (await session.scalars(select(Site).where(Site.slug == slug, Site.is_open))).one_or_none()
    if site is None:
        raise NotFound("There is no such publication.")
    return site


@dataclass(frozen=True, slots=True)
class Published:
    """An article with its site and the text that readers see."""

    article: Article
    site: Site
    version: Version


async def published_article(
    session: AsyncSession, site: str, article: str, *, is_for_sale: bool = False
) -> Published:
    """The article at these slugs, as it is published; if asked, only where placements are sold. Raises `NotFound`."""
    _must_be_slugs(site, article)
    query = (
        select(Article, Site, Version)
        .join(Site, Site.id == Article.site_id)
        .join(Version, Version.id == Article.published_version_id)
        .where(Site.slug == site, Article.slug == article, Article.status == ArticleStatus.PUBLISHED)
    )
    if is_for_sale:
        query = query.where(Site.is_open)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such article.")
    return Published(*row)


async def sold_links(session: AsyncSession, article_id: UUID) -> set[str]:
    """The targets of the links in the published text that were paid for."""
    query = select(Order.target_url).where(
        Order.article_id == article_id, Order.published_version_id.is_not(None)
    )
    return set(await session.scalars(query))


# ---------------------------------------------------------------- drafts
async def unpaid_drafts(session: AsyncSession, person_id: UUID, limit: int = 3) -> Sequence[tuple[UUID, str]]:
    """The person's latest drafts that have not become orders: id and title of the article."""
    query = (
        select(Draft.id, Article.title)
        .join(Article, Article.id == Draft.article_id)
        .where(Draft.person_id == person_id, Draft.ordered_at.is_(None))
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


async def orders_of(session: AsyncSession, person_id: UUID, cursor: str | None = None) -> Page[OrderRow]:
    """A page of a person's orders, the latest first. Raises `Invalid` for a cursor that we did not make."""
    query = (
        select(
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
        )
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
    #: The action of its latest move.
    last_action: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself: the work has ended, and no money is on its way."""
        has_ended = self.order.status in {OrderStatus.COMPLETED, OrderStatus.FAILED}
        return has_ended and self.payment_state is not PaymentState.REFUND_PENDING

    @property
    def is_held(self) -> bool:
        """Whether its newest version waits for an editor and has not been shown to the customer yet."""
        return self.order.status is OrderStatus.ADMIN_REVIEW and self.last_action == "held for an editor"

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
    last_action = (
        select(Transition.action)
        .where(Transition.order_id == Order.id)
        .order_by(Transition.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(Order, Article, Site, Checkout, Generation, JobRow, last_action)
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


async def usual_duration(session: AsyncSession) -> timedelta | None:
    """How long placing a link took lately (the median); None if none was placed."""
    found: timedelta | None = await session.scalar(_USUAL, {"kind": IntegrateBacklink.kind})
    return found
