"""What readers, feed readers and search engines get of the publications."""

import re
from datetime import timedelta
from typing import Any
from xml.etree.ElementTree import fromstring

import orjson
from sqlalchemy import text, update

from models.base.clock import now
from models.orders.catalogue import discovery
from models.orders.catalogue.content import add_article
from models.orders.reviewing import approve
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site
from tests.orders.builders import TARGET
from tests.orders.desk import Desk
from tests.orders.selling import counting

READING = "/articles/second-pour/grinding"
FEED = "/articles/second-pour/feed.xml"
NAMES = {"a": "http://www.w3.org/2005/Atom", "s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


async def get(desk: Desk, path: str, **headers: str):
    async with desk.site.browser() as reader:
        return await reader.client.get(
            path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


async def more_articles(desk: Desk, count: int) -> None:
    async with desk.database.transaction() as session:
        site = await session.get_one(Site, desk.shop.article.site_id)
        for number in range(count):
            title = f"Copy {number} & <b>more</b></script>"
            about = {
                "title": title,
                "topic": "t",
                "keyword": "k",
                "author": "A & B",
                "summary": "A </script> & so on.",
            }
            at = now() - timedelta(days=number + 1)
            values: dict[str, Any] = {"slug": f"copy-{number}", "published_at": at, **about}
            await add_article(
                session, site, markdown="A text with [a link](https://a.example/?a=1&b=2).\n", **values
            )


async def test_an_article_tells_machines_what_it_is(desk: Desk):
    await more_articles(desk, 1)
    html = (await get(desk, "/articles/second-pour/copy-0")).text
    canonical = f"{desk.world.settings.app.public_url}/articles/second-pour/copy-0"
    assert f'<link rel="canonical" href="{canonical}">' in html
    assert '<html lang="en">' in html
    assert 'property="og:type" content="article"' in html
    assert f'{FEED}"' in html
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)
    data = orjson.loads(found[0])
    assert len(found) == 1
    assert (data["@type"], data["mainEntityOfPage"]) == ("Article", canonical)
    assert data["headline"] == "Copy 0 & <b>more</b></script>"
    assert data["author"]["name"] == "A & B"


async def test_who_has_an_article_already_gets_nothing_until_it_changes(desk: Desk):
    first = await get(desk, READING)
    tag, day = first.headers["etag"], first.headers["last-modified"]
    assert (await get(desk, READING, if_none_match=tag)).status_code == 304
    assert (await get(desk, READING, if_none_match=f'"x", {tag}')).status_code == 304
    assert (await get(desk, READING, if_modified_since=day)).status_code == 304
    assert (await get(desk, READING, if_modified_since="Thu, 01 Jan 2015 00:00:00 GMT")).status_code == 200
    assert (await get(desk, READING, if_modified_since="yesterday")).status_code == 200
    assert (await get(desk, READING, if_none_match='"x"', if_modified_since=day)).status_code == 200
    assert "max-age=60" in first.headers["cache-control"]
    async with await desk.browser(desk.admin) as admin:
        form = (await admin.open("/admin/sites/second-pour")).form("site-form")
        await admin.submit(form, name="The Third Pour")
    assert (await get(desk, READING, if_none_match=tag)).status_code == 200


async def test_an_approval_changes_the_article_for_those_who_have_it(desk: Desk):
    tag = (await get(desk, READING)).headers["etag"]
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    fresh = await get(desk, READING, if_none_match=tag)
    assert fresh.status_code == 200
    assert f'href="{TARGET}" rel="sponsored"' in fresh.text
    feed = fromstring((await get(desk, FEED)).content)
    content = feed.findtext("a:entry/a:content", "", NAMES)
    assert 'rel="sponsored"' in content
    assert "Some links were paid for." in content


async def test_a_feed_holds_the_latest_articles_of_its_site(desk: Desk):
    await more_articles(desk, discovery.FEED_LENGTH + 3)
    answer = await get(desk, FEED)
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = fromstring(answer.content)
    titles = [one.text for one in feed.findall("a:entry/a:title", NAMES)]
    assert len(titles) == discovery.FEED_LENGTH
    assert titles[:2] == ["What a grinder does", "Copy 0 & <b>more</b></script>"]
    assert feed.findtext("a:id", "", NAMES).endswith(FEED)
    assert (await get(desk, FEED, if_none_match=answer.headers["etag"])).status_code == 304
    assert (await get(desk, "/articles/absent/feed.xml")).status_code == 404


async def test_sitemaps_name_every_published_article_once(desk: Desk):
    await more_articles(desk, 4)
    async with desk.database.transaction() as session:
        await session.execute(
            update(Article).where(Article.slug == "copy-1").values(status=ArticleStatus.UNPUBLISHED)
        )
    index = fromstring((await get(desk, "/sitemap.xml")).content)
    [page] = [one.text or "" for one in index.findall("s:sitemap/s:loc", NAMES)]
    urls = [
        one.text or "" for one in fromstring((await get(desk, page)).content).findall("s:url/s:loc", NAMES)
    ]
    wanted = ["copy-0", "copy-2", "copy-3", "grinding"]
    assert sorted(url.rpartition("/")[2] for url in urls) == wanted
    for absent in ("2.xml", "0.xml", "x.xml", "1", "999999.xml"):
        assert (await get(desk, f"/sitemaps/{absent}")).status_code == 404, absent
    async with desk.database.transaction() as session:
        assert await discovery.sitemap_pages(session, size=3) == 2
        pages = [await discovery.sitemap(session, page, size=3) for page in (1, 2)]
    assert sorted(one.slug for page in pages for one in page) == wanted


async def test_robots_may_read_what_readers_may_and_find_the_sitemap(desk: Desk):
    answer = await get(desk, "/robots.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "Disallow: /admin\n" in answer.text
    assert "Disallow: /articles" not in answer.text
    assert answer.text.endswith(f"Sitemap: {desk.world.settings.app.public_url}/sitemap.xml\n")


async def test_a_page_asks_as_often_for_many_articles_as_for_few(desk: Desk):
    home = "/admin/sites/second-pour"
    paths = (
        "/admin/sites",
        home,
        f"{home}/articles",
        f"{home}/prices",
        f"{home}/articles/{desk.shop.article.id}/versions",
    )

    async def costs() -> dict[str, int]:
        found = {}
        async with await desk.browser(desk.admin) as admin:
            for path in paths:
                async with counting(desk.database) as sent:
                    assert (await admin.open(path)).status == 200
                found[path] = len(sent)
            async with counting(desk.database) as sent:
                await admin.open(FEED)
            return found | {FEED: len(sent)}

    few = await costs()
    assert max(few.values()) <= 10, few
    await more_articles(desk, 12)
    async with desk.database.transaction() as session:
        await session.execute(text("update orders_articles set placement_count = 0"))
    assert await costs() == few
