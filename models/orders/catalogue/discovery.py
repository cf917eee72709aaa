"""What machines that read the publications are told: which articles there are, and when they changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.orders.catalogue.queries import Published
from models.orders.catalogue.rules import slug_problem
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Order, Site, Version

#: The protocol allows 50,000 addresses in one file (https://www.sitemaps.org/protocol.html).
SITEMAP_PAGE: Final = 10_000
FEED_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """A published article as a sitemap names it."""

    site: str
    slug: str
    changed_at: datetime


async def sitemap_pages(session: AsyncSession, size: int = SITEMAP_PAGE) -> int:
    """How many sitemaps the published articles fill: at least one."""
    query = select(func.count()).where(Article.status == ArticleStatus.PUBLISHED)
    return max(1, -(-(await session.scalar(query) or 0) // size))


async def sitemap(session: AsyncSession, page: int, size: int = SITEMAP_PAGE) -> Sequence[Listing]:
    """The articles of a sitemap, in the order in which they were published. Raises `NotFound` for one too far."""
    oldest = (
        select(Article.id)
        .where(Article.status == ArticleStatus.PUBLISHED)
        .order_by(Article.published_at, Article.id)
        .offset((page - 1) * size)
        .limit(size)
        .subquery()
    )
    query = (
        select(Site.slug, Article.slug, func.greatest(Article.updated_at, Version.created_at))
        .join(oldest, oldest.c.id == Article.id)
        .join(Site, Site.id == Article.site_id)
        .join(Version, Version.id == Article.published_version_id)
        .order_by(Article.published_at, Article.id)
    )
    found = [Listing(*row) for row in await session.execute(query)]
    if not found and page > 1:
        raise NotFound("There is no such sitemap.")
    return found


@dataclass(frozen=True, slots=True)
class Feed:
    """A site's latest articles, newest first, each with the targets of the links in it that were paid for."""

    site: Site
    articles: Sequence[tuple[Published, set[str]]]


async def feed(session: AsyncSession, slug: str) -> Feed:
    """The feed of a site, whether it sells or not. Raises `NotFound`."""
    is_known = slug_problem(slug) is None
    site = (await session.scalars(select(Site).where(Site.slug == slug))).one_or_none() if is_known else None
    if site is None:
        raise NotFound("There is no such publication.")
    query = (
        select(Article, Version)
        .join(Version, Version.id == Article.published_version_id)
        .where(Article.site_id == site.id, Article.status == ArticleStatus.PUBLISHED)
        .order_by(Article.published_at.desc(), Article.id.desc())
        .limit(FEED_LENGTH)
    )
    rows = (await session.execute(query)).all()
    sold: dict[UUID, set[str]] = {article.id: set() for article, _ in rows}
    links = select(Order.article_id, Order.target_url).where(
        Order.article_id.in_(sold), Order.published_version_id.is_not(None), Order.target_url != ""
    )
    for article_id, url in await session.execute(links):
        sold[article_id].add(url)
    return Feed(site, [(Published(article, site, version), sold[article.id]) for article, version in rows])
