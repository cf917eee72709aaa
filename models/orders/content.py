"""Bringing publications and their articles in: what is sold here has to come from somewhere."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.orders.markdown import is_outgoing, links, word_count
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site, Version


async def add_site(session: AsyncSession, **values: Any) -> Site:
    """Add a publication; `values` are columns of `Site`."""
    site = Site(**values)
    session.add(site)
    await session.flush()
    return site


async def add_article(
    session: AsyncSession,
    site: Site,
    *,
    markdown: str,
    status: ArticleStatus = ArticleStatus.PUBLISHED,
    **values: Any,
) -> Article:
    """Add an article with its first version, and show it to readers if it is published.

    `values` are columns of `Article`. The price and currency are the site's unless they say otherwise.
    """
    prices = {"price_cents": site.price_cents, "currency": site.currency}
    article = Article(site_id=site.id, status=status, **{**prices, **values})
    session.add(article)
    await session.flush()
    version = Version(article_id=article.id, number=1, markdown=markdown, origin="import")
    session.add(version)
    await session.flush()
    article.word_count = word_count(markdown)
    article.link_count = sum(is_outgoing(link.href) for link in links(markdown))
    if status is ArticleStatus.PUBLISHED:
        article.published_version_id = version.id
        article.published_at = article.published_at or now()
    await session.flush()
    return article
