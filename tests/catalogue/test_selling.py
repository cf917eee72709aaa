"""Sites, prices and the deny list: who may set what, and what follows from it."""

import pytest
from sqlalchemy import select

from models.accounts.audit import history_of
from models.base.errors import Invalid, NotFound
from models.orders.catalogue.denied import denied_for, deny
from models.orders.catalogue.rules import normal_domain
from models.orders.drafts import Wish, open_article, problems_of
from models.orders.states import OrderStatus
from models.orders.tables import Site
from tasks.targets import problem_of
from tasks.testing import run_everything
from tests.orders.builders import ANCHOR, TARGET
from tests.orders.desk import Desk

HOME = "/admin/sites/second-pour"


async def site_of(desk: Desk) -> Site:
    async with desk.database.transaction() as session:
        return (await session.scalars(select(Site))).one()


async def test_an_admin_sets_the_rules_of_selling_and_an_editor_only_the_words(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed, await desk.browser(desk.admin) as admin:
        form = (await ed.open(HOME)).form("site-form")
        assert "rel" not in form.names
        forged = form.filled({"tagline": "Better coffee."}) | {
            "rel": "nofollow",
            "is_open": "",
            "disclosure": "x",
        }
        assert (await ed.send(HOME, "post", forged)).status == 200
        site = await site_of(desk)
        assert (site.tagline, site.rel, site.is_open) == ("Better coffee.", "sponsored", True)
        form = (await admin.open(HOME)).form("site-form")
        await admin.submit(form, rel="nofollow sponsored", max_links_per_article="3")
        site = await site_of(desk)
        assert (site.rel, site.max_links_per_article, site.revision) == ("nofollow sponsored", 3, 3)
        stale = await admin.submit(form, niche="Tea")
        assert stale.status == 409
        assert "nofollow sponsored" in stale.text
        wrong = form.filled({"domain": "no domain", "name": ""}) | {"rel": "follow"}
        refused = await admin.send(HOME, "post", wrong)
        assert refused.status == 422
        for name in ("domain", "name", "rel"):
            assert f'id="{name}-error"' in refused.html, name
        assert (await admin.open("/admin/sites/absent")).status == 404
    async with desk.database.transaction() as session:
        assert [one.action for one in await history_of(session, f"site/{site.id}")] == ["site.changed"] * 2


async def test_a_new_site_says_everything_that_is_wrong_at_once(desk: Desk):
    async with await desk.browser(desk.admin) as admin:
        form = (await admin.open("/admin/sites/new")).form("site-form")
        refused = await admin.submit(form, price="much", slug="new", language="English")
        assert refused.status == 422
        for name in ("name", "slug", "domain", "niche", "language", "about", "disclosure", "price"):
            assert f'id="{name}-error"' in refused.html, name


async def test_a_closed_site_takes_no_new_orders_and_ends_those_that_it_has(desk: Desk):
    async with await desk.browser(desk.admin) as admin:
        await admin.submit((await admin.open(HOME)).form("site-form"), is_open=False)
        assert (await admin.open("/catalogue/second-pour/grinding")).status == 404
        assert (await admin.open("/articles/second-pour/grinding")).status == 200
    async with desk.database.transaction() as session:
        with pytest.raises(NotFound):
            await open_article(session, desk.shop.article.id)
    await run_everything(desk.world)
    assert (await desk.order()).status is OrderStatus.QUALITY_CHECK


async def test_prices_are_kept_with_who_set_them_and_orders_keep_theirs(desk: Desk):
    prices = f"{HOME}/articles/{desk.shop.article.id}/prices"
    async with await desk.browser(desk.shop.people.editor) as ed, await desk.browser(desk.admin) as admin:
        assert "price-form" not in [one.id for one in (await ed.open(prices)).forms]
        fields = {"_csrf_token": (await ed.open(HOME)).form("site-form").fields["_csrf_token"], "price": "1"}
        assert (await ed.send(prices, "post", fields)).status == 404
        form = (await admin.open(prices)).form("price-form")
        assert 'id="price-error"' in (await admin.submit(form, price="1.234")).html
        assert 'id="price-error"' in (await admin.submit(form, price="0.50")).html
        screen = await admin.submit(form, price="120.50")
        assert "$120.50" in screen.text
        assert "admin@example.com" in screen.text
        assert "the price already" in (await admin.submit(form, price="120,50")).text
        assert "$120.50" in (await admin.open("/catalogue/second-pour/grinding")).text
        site = (await admin.open(f"{HOME}/prices")).form("price-form")
        await admin.submit(site, price="120.50")
        site = (await admin.open(f"{HOME}/prices")).form("price-form")
        assert "and that of 1 article" in (await admin.submit(site, price="99", with_articles=True)).text
        history = (await ed.open(prices)).text
        assert [history.count(price) for price in ("$99.00", "$120.50")] == [2, 1]
    await run_everything(desk.world)
    assert (await desk.order()).amount_cents == 4900


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("Example.ORG", "example.org"),
        ("https://user@www.example.org:443/page?x", "www.example.org"),
        ("*.example.org.", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_is_one_however_it_is_typed(typed: str, domain: str):
    assert normal_domain(typed) == domain


@pytest.mark.parametrize(
    "typed", ["", "localhost", "127.0.0.1", "a b.example", "-a.example", "x" * 300 + ".example"]
)
def test_what_is_no_domain_cannot_be_denied(typed: str):
    with pytest.raises(ValueError, match="domain name"):
        normal_domain(typed)


async def test_links_to_a_denied_domain_are_refused_also_below_it_and_in_other_letters(desk: Desk):
    settings = desk.world.settings
    async with desk.database.transaction() as session:
        await deny(session, "bücher.example", "Sells copies.", desk.admin)
        article, version = await open_article(session, desk.shop.article.id)
        for url, is_denied in (
            ("https://bücher.example/a", True),
            ("https://WWW.BÜCHER.example/a", True),
            ("https://xn--bcher-kva.example/a", True),
            ("https://a.b.xn--bcher-kva.example/", True),
            ("https://mybücher.example/", False),
            ("https://other.example.org/", False),
        ):
            wish = Wish("ada@example.com", url, ANCHOR)
            problems = await problems_of(session, wish, article, version, settings)
            assert ("not accepted" in problems.get("target_url", "")) is is_denied, url
        # A page may lead to another host of its domain, so the whole domain's entries are looked at.
        await deny(session, "bad.example.org", "Spam.", desk.admin)
        assert await denied_for(session, settings, "https://www.example.org/") == ("bad.example.org",)
        denied = await denied_for(session, settings, "https://x.bücher.example/")
    assert "not accepted" in (await problem_of("https://x.bücher.example/", settings, denied) or "")


async def test_the_deny_list_is_kept_by_admins(desk: Desk):
    path = "/admin/denied-domains"
    async with await desk.browser(desk.shop.people.editor) as ed, await desk.browser(desk.admin) as admin:
        assert (await ed.open(path)).status == 404
        form = (await admin.open(path)).form("deny-form")
        refused = await admin.submit(form, domain="nonsense")
        assert 'id="domain-error"' in refused.html
        assert 'id="reason-error"' in refused.html
        screen = await admin.submit(form, domain="https://Roastery.example.org/x", reason="They copy us.")
        assert "roastery.example.org" in screen.text
        assert (
            "on the list already"
            in (await admin.submit(form, domain="roastery.example.org", reason="Again.")).text
        )
        assert "They copy us." in (await admin.open(f"{path}?q=example.org")).text
        assert "Nothing on the list" in (await admin.open(f"{path}?q=other.example")).text
        screen = await admin.submit(screen.form("Accept again"))
        assert "accepted again" in screen.text
    async with desk.database.transaction() as session:
        history = await history_of(session, "domain/roastery.example.org")
        assert [one.action for one in history] == ["domain.allowed", "domain.denied"]
        with pytest.raises(Invalid):
            await deny(session, TARGET, "", desk.admin)
