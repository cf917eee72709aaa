"""Several placements in one checkout: chosen, paid for on one page, and each an order of its own afterwards."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from infra.local.visitor import Browser, Screen
from models.accounts.states import Role
from models.base.errors import Invalid
from models.base.paging import PAGE_SIZE
from models.mail.tables import EmailMessage
from models.orders.baskets import MOST, Choice, must_fit
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Draft, Order, Site
from models.payments.tables import Checkout
from tests.orders.selling import ANCHOR, OWNER, Shop, counting

BASKET = "/orders/basket"
PAYMENT = f"{BASKET}/payment"
COPIED = ("browser_hash", "person_id", "article_id", "email", "target_url", "checked_url")


async def fill_in(shop: Shop, ada: Browser, *targets: str) -> list[str]:
    """Fill in an order form for each of these targets, and let their pages be looked at. Returns the drafts' ids."""
    await shop.site.sign_in(ada, OWNER)
    pages = [await shop.order_form(ada, target_url=shop.target(one)) for one in targets]
    await shop.work()
    return [one.path.rpartition("/")[2] for one in pages]


async def press_pay(ada: Browser, screen: Screen, drafts: list[str]) -> Screen:
    fields: dict[str, Any] = screen.form(PAYMENT).fields | {"draft": drafts}
    return await ada.send(PAYMENT, "post", fields, follow=False)


async def test_a_customer_pays_for_two_placements_at_once_and_follows_both(shop: Shop) -> None:
    async with shop.site.browser() as ada, shop.site.browser() as ida:
        drafts = await fill_in(shop, ada, "grinders", "kettles")
        draft = await ada.open(f"/orders/drafts/{drafts[0]}")
        assert "Keep this and add another" in draft.links
        screen = await ada.open((await ada.open("/orders")).link("Pay for several together"))
        assert "Pay $398.00 for 2 placements together" in screen.form(PAYMENT).buttons
        assert all(screen.html.count(f'type="hidden" name="draft" value="{one}"') == 1 for one in drafts)

        pressed = await press_pay(ada, screen, drafts)
        hosted = await ada.open(pressed.response.headers["location"], follow=False)
        paid = await shop.sandbox.pay(hosted.response.headers["location"])
        back = await ada.open(str(paid.location))
        assert "Payment received" in back.text
        assert "$398.00" in back.text
        await shop.work()
        back = await ada.open(back.path)
        assert "Your 2 orders have begun" in back.text
        orders = [await ada.open(f"/orders/drafts/{one}/order") for one in drafts]
        orders.sort(key=lambda one: one.heading)
        assert [one.heading for one in orders] == ["Order G-1001", "Order G-1002"]
        assert "Paid together with" in orders[0].text
        assert orders[0].link("G-1002") == orders[1].path

        await shop.site.sign_in(ida, "ida@example.com", Role.ADMIN)
        desk = await ida.open(f"/admin{orders[0].path}")
        assert desk.link("G-1002") == f"/admin{orders[1].path}"
        async with shop.database.transaction() as session:
            letters = select(EmailMessage.id).where(EmailMessage.kind == "orders.request_received")
            assert len((await session.scalars(letters)).all()) == 2
            assert {one.status for one in await session.scalars(select(Order))} == {OrderStatus.QUALITY_CHECK}
            names = set(await session.scalars(select(Checkout.description)))
        # Two placements of the same words in one article are told apart on the payment page.
        targets = [shop.target(one).partition("://")[2] for one in ("grinders", "kettles")]
        assert {name.partition(" in “")[0] for name in names} == {
            f"Backlink “{ANCHOR}” to {target}" for target in targets
        }
        assert "Nothing to pay for" in (await ada.open(BASKET)).text


async def test_what_is_chosen_is_what_is_paid_and_leaving_the_page_keeps_the_choice(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        drafts = await fill_in(shop, ada, "grinders", "kettles", "mugs")
        chosen = f"{BASKET}?chosen=yes&draft={drafts[2]}&draft={drafts[0]}"
        screen = await ada.open(chosen)
        assert "Pay $398.00 for 2 placements together" in screen.form(PAYMENT).buttons
        # Named twice, it is one; and pressed twice, it is one page.
        pressed = [
            await press_pay(ada, screen, [drafts[2], drafts[0], drafts[2]]),
            await press_pay(ada, screen, [drafts[0], drafts[2]]),
        ]
        assert len({one.response.headers["location"] for one in pressed}) == 1
        place = pressed[0].response.headers["location"].replace("/payments/", "/payments/cancelled/")
        await ada.open(pressed[0].response.headers["location"], follow=False)
        back = await ada.open(place)
        assert "Nothing was charged" in back.text
        assert "Pay $398.00 for 2 placements together" in back.form(PAYMENT).buttons
        none = await ada.open(screen.link("Choose none"))
        assert (none.status, PAYMENT in {form.action for form in none.forms}) == (200, False)
        assert "Choose at least one" in (await press_pay(ada, screen, [])).text


async def test_a_choice_is_made_over_many_pages_and_costs_as_many_questions_as_a_small_one(
    shop: Shop,
) -> None:
    async with shop.site.browser() as ada, shop.site.browser() as eve:
        drafts = await fill_in(shop, ada, "grinders", "kettles", "mugs")
        async with counting(shop.database) as few:
            await ada.open(BASKET)
        await shop.site.sign_in(eve, "eve@example.com")
        strangers = (await shop.order_form(eve, target_url=shop.target("theft"))).path.rpartition("/")[2]
        async with shop.database.transaction() as session:
            one = await session.get_one(Draft, UUID(drafts[0]))
            same = {name: getattr(one, name) for name in COPIED}
            session.add_all(Draft(**same, anchor_text=f"mug {number}") for number in range(2 * PAGE_SIZE))
        async with counting(shop.database) as many:
            screen = await ada.open(BASKET)
        assert len(many) == len(few)
        assert f"for {MOST} placements together" in screen.html

        # The first drafts are on the last page; what is chosen there goes along with what was chosen here.
        newest = screen.html.split('name="draft" value="')[1][:36]
        here: dict[str, Any] = {"chosen": "yes", "draft": [newest, strangers]}
        for _ in range(2):
            onto = screen.html.split('name="onto" value="')[-1].split('"')[0]
            screen = await ada.send(BASKET, "get", here | {"onto": onto})
        assert "More drafts" not in screen.html
        assert "Chosen on other pages" in screen.html
        assert "theft" not in screen.html
        async with counting(shop.database) as chosen:
            screen = await ada.send(BASKET, "get", here | {"onto": onto, "draft": [newest, *drafts]})
        assert len(chosen) == len(few) + 1
        assert "Pay $796.00 for 4 placements together" in screen.form(PAYMENT).buttons
        assert (await press_pay(ada, screen, [newest, *drafts])).status == 303


async def test_drafts_of_somebody_else_and_such_as_cannot_be_paid_are_refused_where_they_stand(
    shop: Shop,
) -> None:
    async with shop.site.browser() as ada, shop.site.browser() as eve:
        drafts = await fill_in(shop, ada, "grinders", "kettles")
        screen = await ada.open(BASKET)
        await shop.site.sign_in(eve, "eve@example.com")
        token = {"_csrf_token": (await eve.open("/orders")).forms[0].fields["_csrf_token"]}
        stolen = await eve.send(PAYMENT, "post", token | {"draft": drafts[0]})
        assert stolen.status == 422
        assert "grinders" not in stolen.html
        async with shop.database.transaction() as session:
            await session.execute(update(Draft).where(Draft.id == drafts[1]).values(anchor_text="word " * 20))
        refused = await press_pay(ada, screen, drafts)
        assert refused.status == 422
        assert f'href="#draft-{drafts[1]}"' in refused.html
        assert f'id="draft-{drafts[1]}-error"' in refused.html
        async with shop.database.transaction() as session:
            await session.execute(update(Article).values(status=ArticleStatus.UNPUBLISHED))
        assert "It is not for sale any more" in (await ada.open(BASKET)).text


def test_a_basket_has_one_currency_and_a_size_that_can_be_looked_over() -> None:
    def some(count: int, currency: str = "usd") -> list[Choice]:
        return [Choice(Draft(), Site(), "", 4900, currency, None) for _ in range(count)]

    must_fit(some(MOST))
    for wrong, words in (
        ([], "at least one"),
        (some(MOST + 1), f"at most {MOST}"),
        (some(1) + some(1, "eur"), "EUR and USD are paid apart"),
    ):
        with pytest.raises(Invalid) as refusal:
            must_fit(wrong)
        assert words in refusal.value.fields["draft"]
