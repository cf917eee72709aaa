"""Showing a version to readers: the one compare-and-set by which an article's text changes for a link."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Conflict
from models.orders.tables import Article, Version
from models.orders.text.markdown import is_outgoing, links, word_count


async def locked_article(session: AsyncSession, article_id: UUID) -> Article:
    """The article as it is now, locked until this transaction ends: nobody publishes in it meanwhile."""
    query = select(Article).where(Article.id == article_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def publish(session: AsyncSession, article: Article, version: Version, *, placements: int) -> None:
    """Show the version to readers, if the article is still the text that it was made from; else `Conflict`.

    The condition is the compare-and-set: the lock of the caller makes it hold. `placements` is how many sold links
    the version adds; one that is put back was counted when it was sold.
    """
    published = await session.execute(
        update(Article)
        .where(Article.id == article.id, Article.published_version_id == version.base_version_id)
        .values(
            published_version_id=version.id,
            word_count=word_count(version.markdown),
            link_count=sum(is_outgoing(link.href) for link in links(version.markdown)),
            placement_count=Article.placement_count + placements,
        )
        .returning(Article.id)
    )
    if published.one_or_none() is None:
        raise Conflict("The article has changed at this very moment. Look at it again.")
