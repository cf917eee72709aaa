"""The guarantee of whole articles: their page is looked at daily, and an editor mends what is wrong with it."""

import pytest
from sqlalchemy import select, text, update

from infra.local.people import EDITOR
from models.jobs.tables import JobRow
from models.orders.jobs import RepairLink
from models.orders.reviewing import approve
from models.orders.states import LinkState, Product
from models.orders.tables import Order
from tests.orders.builders import history_of, letters_of
from tests.orders.selling import OWNER, Shop
from tests.orders.test_guarantee import ask


async def as_article(shop: Shop) -> None:
    """Make the order one of the whole article that its link was placed in."""
    async with shop.database.transaction() as session:
        bought = {"product": Product.ARTICLE, "target_url": "", "anchor_text": ""}
        await session.execute(update(Order).values(bought))


@pytest.mark.slow
async def test_an_ordered_article_is_looked_at_missing_and_back(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        order_id = await shop.order_id()
        await ada.submit(order.form("submission"))
    async with shop.database.transaction() as session:
        await approve(session, shop.world.settings, order_id, await shop.person(EDITOR))
    await as_article(shop)
    states = []
    for status in ("published", "unpublished", "unpublished", "unpublished", "published"):
        async with shop.database.transaction() as session:
            change = text(
                "update orders_articles set status = :status where id = (select article_id from orders)"
            )
            await session.execute(change, {"status": status})
        await ask(shop)
        async with shop.database.transaction() as session:
            states.append((await session.get_one(Order, order_id)).link_state)
    assert states == [
        LinkState.IN_PLACE,
        LinkState.DOUBTED,
        LinkState.STUCK,
        LinkState.STUCK,
        LinkState.IN_PLACE,
    ]
    told = await letters_of(shop.database)
    assert [kind for kind, to in told if to == OWNER][-2:] == ["article_missing", "article_back"]
    assert [kind for kind, to in told if to == EDITOR].count("admin_alert") == 1
    assert [action for *_, action, _ in await history_of(shop.database, order_id)][-2:] == [
        "article missing",
        "article back",
    ]
    async with shop.database.transaction() as session:
        repairs = await session.scalars(select(JobRow.id).where(JobRow.kind == RepairLink.kind))
        assert repairs.all() == []
