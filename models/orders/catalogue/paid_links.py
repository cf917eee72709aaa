"""Links that customers have paid for, against what an editor would do to their article."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.orders.catalogue.queries import sold_links
from models.orders.rules import order_number
from models.orders.states import OrderStatus
from models.orders.tables import Article, Order, Version
from models.orders.text.markdown import href_of, links
from models.payments.states import PaymentState

#: Money that has gone back: nothing is owed for it any more.
_RETURNED = (PaymentState.REFUNDED, PaymentState.DISPUTE_LOST)
_UNDER_WAY = (OrderStatus.PROCESSING, OrderStatus.QUALITY_CHECK, OrderStatus.ADMIN_REVIEW)


@dataclass(frozen=True, slots=True)
class Sold:
    """What was delivered and has not been refunded: a link, or with an empty target the whole article."""

    id: UUID
    number: int
    target_url: str
    anchor_text: str


@dataclass(frozen=True, slots=True)
class Running:
    """An order that is paid for and under way."""

    id: UUID
    number: int


async def sold_in(session: AsyncSession, article_id: UUID) -> list[Sold]:
    """What somebody has paid for in this article, in the order of their orders."""
    query = (
        select(Order.id, Order.number, Order.target_url, Order.anchor_text)
        .where(Order.article_id == article_id, Order.status == OrderStatus.COMPLETED)
        .where(Order.payment_state.not_in(_RETURNED))
        .order_by(Order.number)
    )
    return [Sold(*row) for row in await session.execute(query)]


async def running_orders(session: AsyncSession, article_id: UUID) -> list[Running]:
    """The orders for this article that are under way."""
    query = (
        select(Order.id, Order.number)
        .where(Order.article_id == article_id, Order.status.in_(_UNDER_WAY))
        .order_by(Order.number)
    )
    return [Running(*row) for row in await session.execute(query)]


async def lost_links(session: AsyncSession, article: Article, head: Version, markdown: str) -> list[str]:
    """What a new text of the article takes from those who have paid, each in a sentence with its order's number."""
    sold = [one for one in await sold_in(session, article.id) if one.target_url]
    if not sold:
        return []
    before, after = _found(head.markdown), _found(markdown)
    return [
        f"The paid link of order {order_number(one.number)} is missing: put "
        f"[{one.anchor_text}]({one.target_url}) back where it was."
        for one in sold
        if {key for key in before if key[0] == href_of(one.target_url)} - after
    ]


def _found(markdown: str) -> set[tuple[str, str]]:
    return {(link.href, " ".join(link.text.split())) for link in links(markdown)}


async def placed_in(session: AsyncSession, article_id: UUID, markdown: str) -> int:
    """How many of the links in this text were sold."""
    sold = {href_of(url) for url in await sold_links(session, article_id)}
    return len(sold & {link.href for link in links(markdown)})
