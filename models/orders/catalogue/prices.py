"""What placements and whole articles cost, and what they did: every price that was ever set is kept, with who set it.

An order keeps the price of its own checkout, whatever is set later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.db import new_id
from models.base.errors import Invalid
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.orders.catalogue.rules import price_problem
from models.orders.states import Product
from models.orders.tables import Article, Price, Site


@dataclass(frozen=True, slots=True)
class PriceSet:
    """A price from a moment on; None ends the offer. `email` is None for what came with the catalogue."""

    id: UUID
    product: Product
    price_cents: int | None
    currency: str
    from_at: datetime
    email: str | None


async def note_price(
    session: AsyncSession,
    site: Site,
    article: Article | None,
    by_id: UUID | None,
    product: Product = Product.BACKLINK,
) -> None:
    """Write down what a link costs from now on, in new articles of the site or in this one; or a whole article."""
    priced = article or site
    price = Price(
        site_id=site.id,
        article_id=article.id if article else None,
        product=product,
        price_cents=site.article_price_cents if product is Product.ARTICLE else priced.price_cents,
        currency=priced.currency,
        by_id=by_id,
    )
    session.add(price)
    await session.flush()


async def set_article_price(
    session: AsyncSession, site: Site, article: Article, cents: int, person: Person
) -> bool:
    """Set what a placement in this article costs from now on; whether that is anything new."""
    _must_be_fine(cents, article.currency)
    before = await session.scalar(
        select(Article.price_cents).where(Article.id == article.id).with_for_update(key_share=True)
    )
    if before == cents:
        return False
    article.price_cents = cents
    await note_price(session, site, article, person.id)
    detail = {"before": before, "after": cents, "currency": article.currency}
    await audit(session, person, "article.price_set", f"article/{article.id}", **detail)
    return True


async def set_site_price(
    session: AsyncSession, site: Site, cents: int, person: Person, *, with_articles: bool = False
) -> int | None:
    """Set what a placement in new articles of the site costs from now on.

    `with_articles` also moves the articles that cost what the site did. Returns how many of them were moved;
    None if nothing was new.
    """
    _must_be_fine(cents, site.currency)
    before = await session.scalar(
        select(Site.price_cents).where(Site.id == site.id).with_for_update(key_share=True)
    )
    if before == cents:
        return None
    site.price_cents = cents
    await note_price(session, site, None, person.id)
    moved = await _move_articles(session, site, before, person) if with_articles else 0
    detail = {"before": before, "after": cents, "currency": site.currency, "articles": moved}
    await audit(session, person, "site.price_set", f"site/{site.id}", **detail)
    return moved


async def _move_articles(session: AsyncSession, site: Site, before: int | None, person: Person) -> int:
    moved = await session.scalars(
        update(Article)
        .where(Article.site_id == site.id, Article.price_cents == before, Article.currency == site.currency)
        .values(price_cents=site.price_cents)
        .returning(Article.id)
    )
    same = {
        "site_id": site.id,
        "price_cents": site.price_cents,
        "currency": site.currency,
        "by_id": person.id,
    }
    rows = [{"id": new_id(), "article_id": article_id, **same} for article_id in moved]
    if rows:
        await session.execute(insert(Price), rows)
    return len(rows)


async def price_articles(session: AsyncSession, site: Site, cents: int | None, person: Person) -> None:
    """Set what a whole article costs from now on, for orders that have not been paid for; None ends the offer."""
    if cents is not None:
        _must_be_fine(cents, site.currency)
    before = await session.scalar(
        select(Site.article_price_cents).where(Site.id == site.id).with_for_update(key_share=True)
    )
    if before == cents:
        return
    site.article_price_cents = cents
    await note_price(session, site, None, person.id, Product.ARTICLE)
    detail = {"before": before, "after": cents, "currency": site.currency}
    await audit(session, person, "site.article_price_set", f"site/{site.id}", **detail)


def _must_be_fine(cents: int, currency: str) -> None:
    if problem := price_problem(cents, currency):
        raise Invalid({"price": problem})


async def prices(
    session: AsyncSession, site: Site, article: Article | None = None, cursor: str | None = None
) -> Page[PriceSet]:
    """A page of the prices that the site, or one article, has had, the latest first."""
    of = Price.article_id == article.id if article else Price.article_id.is_(None)
    query = (
        select(Price.id, Price.product, Price.price_cents, Price.currency, Price.from_at, Person.email)
        .outerjoin(Person, Person.id == Price.by_id)
        .where(Price.site_id == site.id, of)
        .order_by(Price.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        query = query.where(Price.id < decode_cursor(cursor, UUID)[0])
    rows: Sequence[PriceSet] = [PriceSet(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.id])


async def same_priced(session: AsyncSession, site: Site) -> int:
    """How many articles cost what the site does, so that they would move with it."""
    query = select(func.count()).where(Article.site_id == site.id, Article.price_cents == site.price_cents)
    return await session.scalar(query) or 0
