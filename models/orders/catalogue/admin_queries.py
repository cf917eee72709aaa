"""What the editors' pages of the catalogue read: every site and article, open and published or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.paging import PAGE_SIZE, Page, decode_cursor, number, page_of, word
from models.orders.catalogue.queries import matches
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site, Version


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as the list shows it."""

    id: UUID
    slug: str
    name: str
    domain: str
    niche: str
    language: str
    price_cents: int
    currency: str
    is_open: bool
    articles: int


async def sites(session: AsyncSession, cursor: str | None = None) -> Page[SiteRow]:
    """A page of the sites, by slug."""
    articles = select(func.count()).where(Article.site_id == Site.id).correlate(Site).scalar_subquery()
    query = (
        select(
            Site.id,
            Site.slug,
            Site.name,
            Site.domain,
            Site.niche,
            Site.language,
            Site.price_cents,
            Site.currency,
            Site.is_open,
            articles,
        )
        .order_by(Site.slug)
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        query = query.where(Site.slug > decode_cursor(cursor, word)[0])
    rows = [SiteRow(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.slug])


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """An article as the list shows it."""

    id: UUID
    slug: str
    title: str
    topic: str
    status: ArticleStatus
    price_cents: int
    currency: str
    word_count: int
    placement_count: int
    updated_at: datetime


async def articles_of(
    session: AsyncSession,
    site_id: UUID,
    search: str = "",
    status: ArticleStatus | None = None,
    cursor: str | None = None,
) -> Page[ArticleRow]:
    """A page of a site's articles, the latest first, of one status if asked, found by words as readers search."""
    query = (
        select(
            Article.id,
            Article.slug,
            Article.title,
            Article.topic,
            Article.status,
            Article.price_cents,
            Article.currency,
            Article.word_count,
            Article.placement_count,
            Article.updated_at,
        )
        .where(Article.site_id == site_id)
        .order_by(Article.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if search:
        query = query.where(matches(search))
    if status is not None:
        query = query.where(Article.status == status)
    if cursor is not None:
        query = query.where(Article.id < decode_cursor(cursor, UUID)[0])
    rows = [ArticleRow(**row) for row in (await session.execute(query)).mappings()]
    return page_of(rows, PAGE_SIZE, lambda row: [row.id])


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as the list shows it: facts alone, no text."""

    id: UUID
    number: int
    origin: str
    order_id: UUID | None
    anchor_text: str | None
    base_number: int | None
    created_at: datetime


async def versions_of(session: AsyncSession, article: Article, cursor: str | None = None) -> Page[VersionRow]:
    """A page of an article's versions, the latest first."""
    base = Version.__table__.alias("base")
    query = (
        select(
            Version.id,
            Version.number,
            Version.origin,
            Version.order_id,
            Version.anchor_text,
            base.c.number,
            Version.created_at,
        )
        .outerjoin(base, base.c.id == Version.base_version_id)
        .where(Version.article_id == article.id)
        .order_by(Version.number.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        query = query.where(Version.number < literal(decode_cursor(cursor, number)[0], BigInteger))
    rows: Sequence[VersionRow] = [VersionRow(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.number])
