"""The catalogue: found by its address, page by page, at a cost that does not grow."""

import pytest
from sqlalchemy import select

from infra.local.visitor import Browser
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site
from tests.orders.selling import ARTICLE, Shop, counting


async def test_the_catalogue_is_searched_and_filtered_by_its_address(shop: Shop):
    async with shop.site.browser() as ada:
        titles = await _titles(ada, "/?q=coff")
        assert titles
        assert "The Other Ingredient, or What Your Tap Does to Your Coffee" in titles
        assert await _titles(ada, "/?q=chargebacks+-letter") != titles
        assert len(await _titles(ada, "/?site=second-pour")) == 5
        assert await _titles(ada, "/?max=1") == []
        cheap = await _titles(ada, "/?sort=cheapest")
        assert cheap == (await _titles(ada, "/?sort=dearest"))[::-1]
        empty = await ada.open("/?q=zzzz")
        assert "Nothing matches" in empty.text
        assert empty.link("Clear the filters") == "/"


async def test_no_search_breaks_the_catalogue(shop: Shop):
    queries = ("q=%27%22%3A*%26%7C!()", "q=%00", "sort=none", "niche=%F0%9F%98%80", f"q={'a' * 500}", "q=-")
    async with shop.site.browser() as ada:
        for query in queries:
            assert (await ada.open(f"/?{query}")).status == 200, query


async def test_a_wrong_price_is_told_at_its_field(shop: Shop):
    async with shop.site.browser() as ada:
        screen = await ada.open("/?min=cheap&max=99999999999")
        assert screen.status == 422
        assert 'id="min-error"' in screen.html
        assert 'id="max-error"' in screen.html
        screen = await ada.open("/?cursor=nonsense")
        assert (screen.status, screen.heading) == (422, "This address is not right")
        assert "send it again" not in screen.text
        assert screen.link("Start from the beginning") == "/"


async def test_every_article_is_on_exactly_one_page_of_the_catalogue(shop: Shop):
    await _many_articles(shop, 60)
    async with shop.site.browser() as ada:
        for sort in ("newest", "cheapest", "dearest"):
            seen: list[str] = []
            screen = await ada.open(f"/?q=copy&sort={sort}")
            while True:
                seen += [href for href in screen.links.values() if href.startswith("/catalogue/")]
                if "More articles" not in screen.links:
                    break
                screen = await ada.open(screen.link("More articles"))
            assert len(seen) == len(set(seen)) == 60


async def _titles(ada: Browser, path: str) -> list[str]:
    screen = await ada.open(path)
    return [words for words, href in screen.links.items() if href.count("/") == 3 and "/catalogue/" in href]


@pytest.mark.slow
async def test_a_page_asks_the_database_as_often_for_many_rows_as_for_few(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        paths = (
            "/",
            "/catalogue/second-pour",
            ARTICLE,
            "/orders",
            order.path,
            "/articles/second-pour/water-for-coffee",
        )
        few = {path: await _cost(shop, ada, path) for path in paths}
        assert max(few.values()) <= 16, few
        await _many_articles(shop, 40)
        form = order.form("regeneration")
        await ada.submit(form)
        await shop.work()
        many = {path: await _cost(shop, ada, path) for path in paths}
        assert many == few


async def _cost(shop: Shop, ada: Browser, path: str) -> int:
    async with counting(shop.database) as sent:
        assert (await ada.open(path)).status == 200
    return len(sent)


async def _many_articles(shop: Shop, count: int) -> None:
    async with shop.database.transaction() as session:
        site = (await session.scalars(select(Site).where(Site.slug == "second-pour"))).one()
        like = (await session.scalars(select(Article).where(Article.slug == "water-for-coffee"))).one()
        for number in range(count):
            session.add(
                Article(
                    site_id=site.id,
                    slug=f"copy-{number}",
                    title=f"Copy {number}",
                    topic="Water",
                    keyword="water",
                    author="Ada",
                    summary="A copy.",
                    status=ArticleStatus.PUBLISHED,
                    price_cents=4900 + number % 3,
                    currency="usd",
                    published_at=like.published_at,
                    published_version_id=like.published_version_id,
                )
            )
