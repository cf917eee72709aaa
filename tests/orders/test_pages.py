"""The customer's pages of orders, over real HTTP, without scripts."""

from uuid import uuid4

from sqlalchemy import select

from infra.local.people import EDITOR
from models.jobs.tables import JobRow
from models.orders.jobs import CheckTarget
from models.orders.reviewing import approve
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Draft
from tests.orders.selling import ANCHOR, ARTICLE, OWNER, Shop


async def test_a_customer_buys_a_link_and_sees_it_published(shop: Shop):
    async with shop.site.browser() as ada:
        screen = await ada.open("/")
        assert "TEST MODE" in screen.text
        screen = await ada.open(screen.link("The Other Ingredient, or What Your Tap Does to Your Coffee"))
        assert screen.path == ARTICLE
        assert "$199.00" in screen.text
        assert "14 days" in screen.text
        screen = await ada.open(screen.link("Place a link in this article"))
        screen = await ada.submit(
            screen.form(screen.path), email=OWNER, target_url=shop.target(), anchor_text=ANCHOR
        )
        assert screen.path == "/sign-in/code"
        assert "we sent a letter there" in screen.text
        assert OWNER in screen.text

        draft = await shop.sign_in(ada, screen)
        assert draft.path.startswith("/orders/drafts/")
        assert "We are looking at your page" in draft.text
        assert 'http-equiv="refresh"' in draft.html
        await shop.work()
        draft = await ada.open(draft.path)
        assert "Your page can be reached" in draft.text

        waiting = await shop.pay(ada, draft)
        assert "payment" in waiting.text.lower()
        await shop.work()
        order = await ada.open(f"{draft.path}/order")
        order_id = await shop.order_id()
        assert order.path == f"/orders/{order_id}"
        assert order.heading == "Order G-1001"
        assert "Ready for your review" in order.text
        assert "Basic mode" in order.text
        assert f"New link: {ANCHOR}" in order.text
        assert "Exactly one link was added" in order.text
        assert "Letter “your text is ready”" in order.text

        order = await ada.submit(order.form("submission"))
        assert "The editor has your version" in order.text
        async with shop.database.transaction() as session:
            await approve(session, shop.world.settings, order_id, await shop.person(EDITOR))
        await shop.work()
        order = await ada.open(order.path)
        assert "Published. Your link is live." in order.text
        published = await ada.open(order.link("Read the published article"))
        assert f'rel="sponsored">{ANCHOR}</a>' in published.html
        assert "sponsored link" in published.text


async def test_a_stranger_cannot_see_or_touch_the_order(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as eve:
        order = await shop.buy(ada)
        draft_id = await _draft_id(shop)
        await shop.site.sign_in(eve, "eve@example.com")
        for path in (
            order.path,
            f"{order.path}/events",
            f"/orders/drafts/{draft_id}",
            f"/orders/drafts/{draft_id}/edit",
            f"/orders/drafts/{draft_id}/order",
            f"/orders/drafts/{draft_id}/order/events",
            f"/api/v1/purchase/status/{order.path.rpartition('/')[2]}",
        ):
            found = await eve.open(path)
            assert found.status == 404 or path.endswith("/events"), path
            assert OWNER not in found.html, path
            assert ANCHOR not in found.html, path
        token = (await eve.open("/orders")).forms[0].fields["_csrf_token"]
        for action in ("regeneration", "submission", "cancellation"):
            fields = {"_csrf_token": token, "version_id": str(uuid4()), "latest_seen": str(uuid4())}
            assert (await eve.send(f"{order.path}/{action}", "post", fields)).status == 404
        assert (await eve.open("/orders")).text.count("G-1001") == 0


async def test_a_draft_can_be_paid_on_the_device_where_its_address_was_proven(shop: Shop):
    async with shop.site.browser() as desk, shop.site.browser() as phone, shop.site.browser() as eve:
        await shop.order_form(desk)
        path = f"/orders/drafts/{await _draft_id(shop)}"
        await shop.site.sign_in(eve, "eve@example.com")
        assert (await eve.open(path)).status == 404
        await shop.site.sign_in(phone, OWNER)
        assert (await phone.open(path)).heading == "Check and pay"


async def test_nobody_sees_an_order_without_signing_in(shop: Shop):
    async with shop.site.browser() as nobody:
        for path in ("/orders", f"/orders/{uuid4()}", f"/orders/drafts/{uuid4()}"):
            assert (await nobody.open(path)).path == "/sign-in"


async def _draft_id(shop: Shop):
    async with shop.database.transaction() as session:
        return (await session.scalars(select(Draft.id))).one()


async def test_what_is_not_there_is_not_found(shop: Shop):
    paths = ("orders/x", "orders/drafts/1", f"orders/{uuid4()}", "catalogue/nowhere", "articles/%00/x")
    more = ("catalogue/second-pour/nothing", "catalogue/nowhere/x/order", "articles/second-pour/nothing")
    async with shop.site.browser() as ada:
        await shop.site.sign_in(ada, OWNER)
        for path in (*paths, *more):
            found = await ada.open(f"/{path}")
            assert (found.status, found.heading) == (404, "Page not found"), path


async def test_an_order_form_says_everything_that_is_wrong_at_once_and_keeps_what_was_typed(shop: Shop):
    async with shop.site.browser() as ada:
        screen = await shop.order_form(
            ada, email="ada@", target_url="ftp://x", anchor_text="", notes="n" * 1001
        )
        assert screen.status == 422
        form = screen.form(f"{ARTICLE}/order")
        assert form.fields["email"] == "ada@"
        assert form.fields["target_url"] == "ftp://x"
        assert form.fields["notes"] == "n" * 1001
        for name in ("email", "target_url", "anchor_text", "notes"):
            assert f'id="{name}-error"' in screen.html
            assert f'href="#{name}"' in screen.html


WRONG = (
    ("target_url", "https://casino.example/win", "not accepted here"),
    ("target_url", "http://10.0.0.1/", "bare IP address"),
    ("target_url", "https://secondpour.example/x", "another site"),
    ("target_url", "https://example.com/" + "x" * 3000, "at most 2000"),
    ("anchor_text", "good\u202eevil", "cannot be seen"),
    ("anchor_text", " ".join(["word"] * 13), "at most 12"),
    ("email", "ada@example.com, bob@example.com", "like name@example.com"),
)


async def test_a_wrong_field_is_told_at_the_field(shop: Shop):
    async with shop.site.browser() as ada:
        for field, value, words in WRONG:
            screen = await shop.order_form(ada, **{field: value})
            assert screen.status == 422, value
            assert words in screen.text, value
            assert f'id="{field}-error"' in screen.html, value


async def test_a_target_that_does_not_answer_can_be_changed_before_paying(shop: Shop):
    async with shop.site.browser() as ada:
        missing = f"{shop.site.base_url}/nothing-here"
        draft = await shop.sign_in(ada, await shop.order_form(ada, target_url=missing))
        await shop.work()
        draft = await ada.open(draft.path)
        assert "error (404)" in draft.text
        assert not any(form.buttons for form in draft.forms if form.action.endswith("/payment"))
        form = await ada.open(f"{draft.path}/edit")
        assert form.form(f"{draft.path}/edit").fields["target_url"] == missing
        draft = await ada.submit(form.form(f"{draft.path}/edit"), target_url=shop.target())
        await shop.work()
        assert "Your page can be reached" in (await ada.open(draft.path)).text


async def test_a_draft_cannot_be_paid_while_its_target_is_looked_at(shop: Shop):
    async with shop.site.browser() as ada:
        draft = await shop.sign_in(ada, await shop.order_form(ada))
        form = next(one for one in draft.forms if one.action.endswith("/payment"))
        refused = await ada.submit(form)
        assert refused.status == 409
        assert "still being looked at" in refused.text
    async with shop.database.transaction() as session:
        keys = (await session.scalars(select(JobRow.unique_key).where(JobRow.kind == CheckTarget.kind))).all()
    assert [shop.target() in str(key) for key in keys] == [False], (
        "who looks after jobs does not read addresses"
    )


async def test_pressing_pay_twice_leads_to_the_same_page(shop: Shop):
    async with shop.site.browser() as ada:
        draft = await shop.sign_in(ada, await shop.order_form(ada))
        await shop.work()
        draft = await ada.open(draft.path)
        form = next(one for one in draft.forms if one.action.endswith("/payment"))
        first = await ada.submit(form, follow=False)
        second = await ada.submit(form, follow=False)
        assert first.response.headers["location"] == second.response.headers["location"]


async def test_paying_for_what_is_paid_leads_to_the_order(shop: Shop):
    async with shop.site.browser() as ada:
        draft = await shop.sign_in(ada, await shop.order_form(ada))
        await shop.work()
        draft = await ada.open(draft.path)
        form = next(one for one in draft.forms if one.action.endswith("/payment"))
        await shop.pay(ada, draft)
        await shop.work()
        again = await ada.submit(form)
        assert again.path == f"/orders/{await shop.order_id()}"
        assert (await ada.open(draft.path)).path == again.path


# ---------------------------------------------------------------- reading
async def test_the_published_article_is_for_everybody_and_tells_caches_so(shop: Shop):
    async with shop.site.browser() as reader:
        found = await reader.open("/articles/second-pour/water-for-coffee")
        assert found.heading == "The Other Ingredient, or What Your Tap Does to Your Coffee"
        assert f'<link rel="canonical" href="{shop.site.base_url}{found.path}">' in found.html
        assert found.response.headers["cache-control"].startswith("public")
        assert "set-cookie" not in found.response.headers
        assert "TEST MODE" not in found.text
        tag = found.response.headers["etag"]
        again = await reader.client.get(found.path, headers={"If-None-Match": tag})
        assert again.status_code == 304
        head = await reader.client.head(found.path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["etag"] == tag


async def test_an_unpublished_article_is_not_found_by_readers_or_buyers(shop: Shop):
    async with shop.database.transaction() as session:
        article = (await session.scalars(select(Article).where(Article.slug == "water-for-coffee"))).one()
        article.status = ArticleStatus.UNPUBLISHED
    async with shop.site.browser() as reader:
        assert (await reader.open("/articles/second-pour/water-for-coffee")).status == 404
        assert (await reader.open(ARTICLE)).status == 404
        assert (await reader.open(f"{ARTICLE}/order")).status == 404
        assert "The Other Ingredient" not in (await reader.open("/")).text


async def test_the_pages_of_the_foot_are_there(shop: Shop):
    async with shop.site.browser() as reader:
        for path in ("/help", "/terms", "/privacy", "/dev/target", "/dev/target/anything"):
            found = await reader.open(path)
            assert found.status == 200
            assert found.heading


async def test_a_second_space_is_squeezed_and_a_long_note_is_told_its_one_limit(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        await shop.site.sign_in(ada, OWNER)
        long = await shop.order_form(ada, notes="a" * 45_000)
        assert (long.status, "Shorten the notes to 1000 characters" in long.text) == (422, True)
        kept = await shop.order_form(ada, anchor_text="a simple  mineral recipe")
        assert "a simple mineral recipe" in kept.text
