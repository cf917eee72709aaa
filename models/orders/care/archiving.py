"""Taking an article down for good, with what that means for those who paid for a link in it."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.clock import now
from models.orders.care.guarantee import is_watched, turn_link
from models.orders.catalogue.editing import take_down
from models.orders.moves import editor, write_history
from models.orders.states import LinkState, OrderStatus, Product
from models.orders.tables import Article, Order

WORDS: Final = "The article was taken down. Publish it again, or refund the order."
_ACTIONS: Final = {Product.BACKLINK: "link needs an editor", Product.ARTICLE: "article missing"}


async def archive(session: AsyncSession, site: str, article_id: UUID, seen: str, person: Person) -> Article:
    """Take the article down, and hand the guarantee of every link in it, and of itself if somebody has ordered it, to the
    editors' first page.

    Nothing of it is put back by itself: whether the money goes back is for a person to decide.
    """
    # The orders before the article, as whoever puts a link back holds them.
    delivered = select(Order).where(Order.article_id == article_id, Order.status == OrderStatus.COMPLETED)
    orders = (await session.scalars(delivered.order_by(Order.id).with_for_update())).all()
    article = await take_down(session, site, article_id, seen, person)
    for order in filter(is_watched, orders):
        lost_at = order.link_lost_at or now()
        await turn_link(session, order, LinkState.STUCK, link_problem=WORDS, link_lost_at=lost_at)
        await write_history(
            session, order.id, order.status, order.status, _ACTIONS[order.product], editor(person), WORDS
        )
    return article
