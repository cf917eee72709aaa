"""Ordering the same link once more: in another article of the publication, or in the same one if that failed."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.orders.drafts import Wish
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Order, Site


@dataclass(frozen=True, slots=True)
class Offer:
    """An article that has a place left."""

    id: UUID
    slug: str
    title: str
    summary: str
    price_cents: int
    currency: str


async def offers(session: AsyncSession, order: Order, site: Site, cursor: str | None = None) -> Page[Offer]:
    """A page of this publication's articles that have a place left, the latest first.

    The article of an order that did not fail has the link already, so it is left out. Whether the others can take
    the link is said by the order form. Raises `Invalid` for a cursor that we did not make.
    """
    if not site.is_open:
        return Page([], None)
    columns: tuple[Any, ...] = (
        Article.id,
        Article.slug,
        Article.title,
        Article.summary,
        Article.price_cents,
        Article.currency,
    )
    query = (
        select(*columns)
        .where(
            Article.site_id == site.id,
            Article.status == ArticleStatus.PUBLISHED,
            Article.placement_count < site.max_links_per_article,
        )
        # The article of a failed order stands first, and on the first page only.
        .order_by((Article.id == order.article_id).desc(), Article.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if order.status is not OrderStatus.FAILED or cursor is not None:
        query = query.where(Article.id != order.article_id)
    if cursor is not None:
        query = query.where(Article.id < decode_cursor(cursor, UUID)[0])
    rows = [Offer(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.id])


async def wish_like(session: AsyncSession, order_id: UUID, person_id: UUID) -> Wish:
    """What this person asked for in an earlier order of theirs. Raises `NotFound`."""
    query = select(Order).where(Order.id == order_id, Order.person_id == person_id)
    order = (await session.scalars(query)).one_or_none()
    if order is None:
        raise NotFound("There is no such order.")
    return Wish("", order.target_url, order.anchor_text, order.notes)
