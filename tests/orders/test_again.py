"""Ordering again: the same link in another article, or in the same one if that failed."""

import pytest
from sqlalchemy import text

from models.orders.care.again import offers
from models.orders.tables import Article, Site
from tests.orders.selling import ANCHOR, ARTICLE, Shop


async def ended(shop: Shop, status: str) -> None:
    async with shop.database.transaction() as session:
        reason = "rejected" if status == "FAILED" else None
        await session.execute(
            text("update orders set status = :status, fail_reason = :reason, completed_at = now()"),
            {"status": status, "reason": reason},
        )


@pytest.mark.slow
async def test_a_published_link_is_ordered_again_in_another_article_with_a_filled_in_form(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        assert "Order again" not in order.text
        assert (await ada.open(f"{order.path}/again")).status == 404
        await ended(shop, "COMPLETED")
        page = await ada.open((await ada.open(order.path)).link("Order again"))
        assert f"{ARTICLE}/order" not in page.html, "it has the link already"
        other = next(href for href in page.links.values() if "/order?like=" in href)
        form = (await ada.open(other)).form("order-form")
        assert (form.fields["target_url"], form.fields["anchor_text"]) == (shop.target(), ANCHOR)
        draft = await ada.submit(form)
        assert draft.path.startswith("/orders/drafts/")


@pytest.mark.slow
async def test_a_failed_order_offers_its_own_article_first(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        await ended(shop, "FAILED")
        page = await ada.open(f"{order.path}/again")
        offered = [href for href in page.links.values() if "/order?like=" in href]
        assert offered[0].startswith(f"{ARTICLE}/order?like=")
        assert "The same article" in page.text


async def test_nobody_elses_order_fills_in_a_form(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as eve:
        order = await shop.buy(ada)
        await ended(shop, "COMPLETED")
        await shop.site.sign_in(eve, "eve@example.com")
        assert (await eve.open(f"{order.path}/again")).status == 404
        for like in (order.path.rpartition("/")[2], "nonsense"):
            page = await eve.open(f"{ARTICLE}/order?like={like}")
            assert page.status == 200
            assert ANCHOR not in page.html


async def test_full_and_closed_articles_are_not_offered(shop: Shop):
    async with shop.site.browser() as ada:
        await shop.buy(ada)
        await ended(shop, "COMPLETED")
    async with shop.database.transaction() as session:
        order_id = await shop.order_id()
        from models.orders.tables import Order

        order = await session.get_one(Order, order_id)
        assert order.article_id is not None
        article = await session.get_one(Article, order.article_id)
        site = await session.get_one(Site, article.site_id)
        assert (await offers(session, order, site)).items
        await session.execute(text("update orders_articles set placement_count = 100"))
        assert (await offers(session, order, site)).items == []
