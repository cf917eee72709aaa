"""Bringing publications and their articles in: what is sold here has to come from somewhere."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.orders.catalogue.prices import note_price
from models.orders.states import ArticleStatus, Product
from models.orders.tables import Article, Site, Version
from models.orders.text.markdown import is_outgoing, links, word_count


async def add_site(session: AsyncSession, *, by_id: UUID | None = None, **values: Any) -> Site:
    """Add a publication; `values` are columns of `Site`."""
    site = Site(**values)
    session.add(site)
    await session.flush()
    await note_price(session, site, None, by_id)
    if site.article_price_cents is not None:
        await note_price(session, site, None, by_id, Product.ARTICLE)
    return site


async def add_article(
    session: AsyncSession,
    site: Site,
    *,
    markdown: str,
    status: ArticleStatus = ArticleStatus.PUBLISHED,
    origin: str = "import",
    by_id: UUID | None = None,
    **values: Any,
) -> Article:
    """Add an article with its first version, and show it to readers if it is published.

    `values` are columns of `Article`. The price and currency are the site's unless they say otherwise.
    """
    prices = {"price_cents": site.price_cents, "currency": site.currency}
    article = Article(site_id=site.id, status=status, **{**prices, **values, **counted(markdown)})
    session.add(article)
    await session.flush()
    await note_price(session, site, article, by_id)
    version = Version(article_id=article.id, number=1, markdown=markdown, origin=origin)
    session.add(version)
    await session.flush()
    if status is not ArticleStatus.DRAFT:
        article.published_at = article.published_at or now()
    if status is ArticleStatus.PUBLISHED:
        article.published_version_id = version.id
    await session.flush()
    return article


async def add_version(session: AsyncSession, article_id: UUID, **values: Any) -> Version:
    """Add the next version of an article. Numbers have no gaps: the article's row is held while one is given."""
    await session.execute(select(Article.id).where(Article.id == article_id).with_for_update(key_share=True))
    last = await session.scalar(select(func.max(Version.number)).where(Version.article_id == article_id))
    version = Version(article_id=article_id, number=(last or 0) + 1, **values)
    session.add(version)
    await session.flush()
    return version


def counted(markdown: str) -> dict[str, int]:
    """The facts of a text that lists show, as columns of `Article`."""
    outgoing = sum(is_outgoing(link.href) for link in links(markdown))
    return {"word_count": word_count(markdown), "link_count": outgoing}
