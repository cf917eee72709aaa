"""What is for sale, and what is published: the reads of the catalogue and of its articles."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, and_, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Gone, NotFound
from models.base.paging import Page, decode_cursor, instant, number, page_of
from models.orders.states import ArticleStatus
from models.orders.tables import Article, FormerAddress, Order, Site, Version

CATALOGUE_PAGE: Final = 24

_SLUG = re.compile(r"[\w.-]+")
_WORD = re.compile(r"\w+")
_OPERATORS = re.compile(r'["-]|\bor\b', re.IGNORECASE)


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
        found.append(matches(search.query))
    if search.niche:
        found.append(Site.niche == search.niche)
    if search.language:
        found.append(Site.language == search.language)
    if search.site:
        # Not by the join: with the site's id at hand its articles are read in their order, from an index.
        site_id = select(Site.id).where(Site.slug == search.site).scalar_subquery()
        found.append(Article.site_id == site_id)
    if search.min_cents is not None:
        found.append(Article.price_cents >= search.min_cents)
    if search.max_cents is not None:
        found.append(Article.price_cents <= search.max_cents)
    return found


def matches(words: str) -> ColumnElement[bool]:
    """Whether an article has these words. Quotes, minus and "or" as in a search engine; without them, the beginnings
    of words are enough.
    """
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
    cents, article_id = decode_cursor(cursor, number, UUID)
    here, there = tuple_(Article.price_cents, Article.id), tuple_(literal(cents, BigInteger), article_id)
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
    """The article at these slugs, as it is published; if asked, only where placements are sold.

    Raises `NotFound`, and `Gone` for one that was taken down.
    """
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
        raise await _absence(session, site, article)
    return Published(*row)


async def _absence(session: AsyncSession, site: str, article: str) -> NotFound:
    query = select(Article.status).join(Site, Site.id == Article.site_id)
    status = await session.scalar(query.where(Site.slug == site, Article.slug == article))
    if status is ArticleStatus.ARCHIVED:
        return Gone("The publication has taken this article down.")
    return NotFound("There is no such article.")


async def moved_to(session: AsyncSession, site: str, slug: str) -> str | None:
    """The slug by which readers find the article now that they found at this one before. None if there is none.

    Raises `NotFound` for what cannot be a slug.
    """
    _must_be_slugs(site, slug)
    query = (
        select(Article.slug)
        .join(FormerAddress, FormerAddress.article_id == Article.id)
        .join(Site, Site.id == FormerAddress.site_id)
        .where(Site.slug == site, FormerAddress.slug == slug)
        .where(Article.status.in_((ArticleStatus.PUBLISHED, ArticleStatus.ARCHIVED)))
    )
    return await session.scalar(query)


async def sold_links(session: AsyncSession, article_id: UUID) -> set[str]:
    """The targets of the links in the published text that were paid for."""
    query = select(Order.target_url).where(
        Order.article_id == article_id, Order.published_version_id.is_not(None), Order.target_url != ""
    )
    return set(await session.scalars(query))
