"""Ordering an article, as its customer and the editors meet it."""

from typing import Any

import pytest
from sqlalchemy import select

from infra.local.visitor import Browser, Screen
from models.accounts import sessions
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from models.jobs import enqueue
from models.orders.jobs import CreateOrder
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Draft, Site
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout
from tasks.testing import run_everything
from tasks.world import World
from tests.articles.author import TITLE, Author, paragraphs
from tests.articles.conftest import with_settings
from tests.articles.making import make_article_shop
from tests.llm.script import Status
from tests.orders.builders import People, make_article, make_people, the_order
from tests.web import site as web

FORM = "/catalogue/second-pour/new/order"
SITE = "/catalogue/second-pour"
DESK = "/admin/sites/second-pour/commissions"
TOPIC = "How to descale a kettle at home"


@pytest.fixture
async def people(database: Database) -> People:
    """A site that sells articles, and who is who."""
    async with database.transaction() as session:
        people = await make_people(session)
        await make_article(session)
        site = (await session.scalars(select(Site))).one()
        site.article_price_cents = 24900
    return people


async def browser_of(site: web.Site, person: Person) -> Browser:
    browser = site.browser()
    async with site.database.transaction() as session:
        row, token = await sessions.start(session, person, method="code", user_agent="", ip="", at=now())
        row.authenticated_at = now()
    browser.client.cookies.set(site.app.state.jar.name("galley_session"), token)
    return browser


async def pay(database: Database, draft: Draft) -> Checkout:
    """What the payment provider's word does."""
    async with database.transaction() as session:
        checkout = (await session.scalars(select(Checkout))).one()
        checkout.state, checkout.payment_state = CheckoutState.PAID, PaymentState.PAID
        checkout.captured_cents, checkout.paid_at = checkout.amount_cents, now()
        checkout.payment_intent_id, checkout.session_id = "pi_1", "cs_1"
        await enqueue(session, CreateOrder(draft_id=draft.id, checkout_id=checkout.id))
    return checkout


@pytest.mark.slow
async def test_an_article_is_ordered_read_and_handed_in(
    world: World, database: Database, shopfront: web.Site, people: People
) -> None:
    async with await browser_of(shopfront, people.owner) as browser:
        publication = await browser.open(SITE)
        assert "Order an article for The Second Pour" in publication.html
        asked = await browser.open(FORM)
        draft_page = await browser.submit(asked.form(FORM), topic=TOPIC, keyword="descale a kettle")
        assert (draft_page.status, "$249" in draft_page.html) == (200, True)
        form = next(one for one in draft_page.forms if one.action.endswith("/payment"))
        await browser.submit(form, follow=False)
        async with database.transaction() as session:
            draft = (await session.scalars(select(Draft))).one()
        checkout = await pay(database, draft)
        assert (checkout.amount_cents, checkout.description) == (
            24900,
            f"Article “{TOPIC}” for The Second Pour",
        )
        await run_everything(world)

        order = await the_order(database, draft.id)
        ready = await browser.open(f"/orders/{order.id}")
        assert [TITLE in ready.html, "Step by step" in ready.html, "It stays too general" in ready.html] == [
            True
        ] * 3
        assert "anchor reads unnaturally" not in ready.html
        assert "It has 700 to 1800 words" in ready.html
        again = await browser.submit(ready.form(f"/orders/{order.id}/regeneration"), reason="too_general")
        assert "Writing another version" in again.html
        await run_everything(world)
        ready = await browser.open(f"/orders/{order.id}")
        handed = await browser.submit(ready.form(f"/orders/{order.id}/submission"))
        assert handed.status == 200
        listed = await browser.open("/orders")
        assert "a whole article" in listed.html

    async with await browser_of(shopfront, people.editor) as editor:
        assert "A whole article" in (await editor.open("/admin/review")).html
        decide = await editor.open(f"/admin/orders/{order.id}")
        assert "Step by step" in decide.html
        form = next(one for one in decide.forms if one.action.endswith("/approval"))
        done = await editor.submit(form)
        assert "Published" in done.html
        assert (await editor.open(f"/articles/second-pour/{'how-to-descale-a-kettle-at-home'}")).status == 200
    assert (await the_order(database, draft.id)).status is OrderStatus.COMPLETED


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"topic": "Kettles"}, "in at least 10 characters"),
        ({"topic": "k" * 121}, "Shorten this to 120 characters; it has 121."),
        ({"topic": "Read https://shop.example today"}, "Leave out web addresses"),
        ({"topic": TOPIC, "keyword": "k" * 61}, "Shorten this to 60 characters"),
        ({"topic": TOPIC, "notes": "n" * 1001}, "Shorten the notes"),
        ({"topic": "How to use p\u0430ypal at home"}, "mixes alphabets"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(
    shopfront: web.Site, people: People, typed: dict[str, Any], said: str
) -> None:
    async with await browser_of(shopfront, people.owner) as browser:
        asked = await browser.open(FORM)
        refused = await browser.submit(asked.form(FORM), **typed)
    assert (refused.status, said in refused.html) == (422, True)


async def test_a_stranger_is_sent_a_letter_first(shopfront: web.Site, people: People) -> None:
    async with shopfront.browser() as browser:
        asked = await browser.open(FORM)
        sent = await browser.submit(asked.form(FORM), email="new@example.com", topic=TOPIC)
        assert sent.path == "/sign-in/code"


async def test_without_a_model_nothing_is_offered_and_a_direct_post_is_refused(
    world: World, database: Database, people: People
) -> None:
    bare = world.settings.model_copy(update={"llm": world.settings.llm.model_copy(update={"model": None})})
    async with web.site(bare, database=database, redis=world.redis) as site, site.browser() as browser:
        page = await browser.open(SITE)
        assert "Order an article" not in page.html
        refused = await browser.open(FORM)
        assert (refused.status, "no language model is set up" in refused.html) == (409, True)
        other = next(
            one.fields["_csrf_token"]
            for one in (await browser.open("/sign-in")).forms
            if "_csrf_token" in one.fields
        )
        sent = await browser.send(
            FORM, "post", {"_csrf_token": other, "topic": TOPIC, "email": "a@example.com"}
        )
        assert (sent.status, "no language model is set up" in sent.html) == (409, True)
    async with database.transaction() as session:
        assert (await session.scalars(select(Draft))).all() == []


async def test_a_site_without_a_price_sells_no_articles(
    database: Database, shopfront: web.Site, people: People
) -> None:
    async with database.transaction() as session:
        (await session.scalars(select(Site))).one().article_price_cents = None
    async with shopfront.browser() as browser:
        assert "Order an article" not in (await browser.open(SITE)).html
        assert (await browser.open(FORM)).status == 409


# ---------------------------------------------------------------- editors
async def order_one(browser: Browser) -> Screen:
    asked = await browser.open(DESK)
    return await browser.submit(
        asked.form(DESK), topic=TOPIC, keyword="descale a kettle", notes="Keep it short."
    )


@pytest.mark.slow
async def test_an_editor_orders_an_article_reads_it_and_publishes_it(
    world: World, database: Database, shopfront: web.Site, people: People
) -> None:
    async with await browser_of(shopfront, people.editor) as browser:
        ordered = await order_one(browser)
        assert "It waits for a writer" in ordered.html
        await run_everything(world)
        ready = await browser.open(ordered.path)
        assert [TITLE in ready.html, "Waits to be published" in ready.html] == [True, True]
        told = (await browser.client.get(f"{ordered.path}/events")).text
        assert [TITLE in told, "event: done" in told] == [True, True]
        draft = await browser.open(ready.link("Open its draft to change it"))
        assert (draft.status, "Step by step" in draft.html) == (200, True)
        form = next(one for one in ready.forms if one.action.endswith("/publication"))
        assert "Published" in (await browser.submit(form)).html
        assert "published already" in (await browser.submit(form)).html
        assert TITLE in (await browser.open("/articles/second-pour/how-to-descale-a-kettle-at-home")).html
    async with database.transaction() as session:
        article = (await session.scalars(select(Article).where(Article.title == TITLE))).one()
    assert article.status is ArticleStatus.PUBLISHED


@pytest.mark.slow
async def test_an_article_that_could_not_be_written_says_why(
    world: World, shopfront: web.Site, people: People, author: Author
) -> None:
    author.spoilt = {2: [["This is clinically proven to work for all of us.", *paragraphs(2)]] * 9}
    async with await browser_of(shopfront, people.editor) as browser:
        ordered = await order_one(browser)
        await run_everything(world, hurry=True)
        failed = await browser.open(ordered.path)
        assert ["No article could be written" in failed.html, "clinically proven" in failed.html] == [
            True,
            True,
        ]
        assert "Not written" in (await browser.open(DESK)).html


async def test_only_admins_set_what_articles_cost(
    world: World, database: Database, shopfront: web.Site, people: People
) -> None:
    async with await browser_of(shopfront, people.editor) as browser:
        desk = await browser.open(DESK)
        assert [one for one in desk.forms if one.action.endswith("/price")] == []
    async with database.transaction() as session:
        admin = Person(email="admin@example.com", role=Role.ADMIN)
        session.add(admin)
    async with await browser_of(shopfront, admin) as browser:
        desk = await browser.open(DESK)
        await browser.submit(desk.form(f"{DESK}/price"), price="199")
        assert "$199" in (await browser.open(FORM)).html
        desk = await browser.open(DESK)
        refused = await browser.submit(desk.form(f"{DESK}/price"), price="0.10")
        assert refused.status == 422
        await browser.submit(desk.form(f"{DESK}/price"), price="")
        assert (await browser.open(FORM)).status == 409
        history = (await browser.open(desk.link("What it cost before"))).text
        assert [history.count(words) for words in ("A whole article", "$199.00", "Not for sale")] == [2, 1, 1]


async def test_customers_find_nothing_at_the_desk(shopfront: web.Site, people: People) -> None:
    async with await browser_of(shopfront, people.owner) as browser:
        assert (await browser.open(DESK)).status == 404


async def test_an_order_made_while_a_model_was_set_up_fails_honestly_without_one(
    world: World, database: Database, shopfront: web.Site, people: People
) -> None:
    bare = world.settings.model_copy(update={"llm": world.settings.llm.model_copy(update={"model": None})})
    async with await browser_of(shopfront, people.editor) as browser:
        ordered = await order_one(browser)
        await run_everything(with_settings(world, bare), hurry=True)
        assert "No language model is set up any more" in (await browser.open(ordered.path)).html


async def test_the_customer_sees_how_far_the_writer_is(
    world: World, database: Database, shopfront: web.Site, author: Author
) -> None:
    shop = await make_article_shop(database)
    author.before = lambda call: Status(503) if "Section 2:" in call.user else None
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    async with await browser_of(shopfront, shop.people.owner) as browser:
        page = await browser.open(f"/orders/{order.id}")
    assert [words in page.html for words in ("Writing your article", "Writing section 2 of 5.")] == [
        True,
        True,
    ]
    assert [words in page.html for words in ("Write it, section by section", "Find a place")] == [True, False]
