"""A draft whose payment is under way: what is paid for is what is made, and nobody pays for it twice."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import NoneType
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.local.visitor import Browser, Screen
from infra.sandbox.client import BANK
from models.base.errors import Conflict
from models.orders.baskets import ask_for_payment
from models.orders.drafts import Wish, draft_of, save_draft
from models.orders.tables import Draft, Order
from models.payments.tables import Checkout
from tests.orders.selling import ANCHOR, OWNER, Shop

OTHER = "a recipe for harder water"


async def keep_draft(shop: Shop, browser: Browser) -> str:
    """A draft whose target has been looked at: the path of its page."""
    await shop.site.sign_in(browser, OWNER)
    screen = await shop.order_form(browser)
    await shop.work()
    return screen.path


async def press(browser: Browser, path: str, *, follow: bool = True) -> Screen:
    """Press Pay as a page does that was opened long ago."""
    token = (
        (await browser.open("/catalogue/second-pour/water-for-coffee/order")).forms[-1].fields["_csrf_token"]
    )
    return await browser.send(f"{path}/payment", "post", {"_csrf_token": token}, follow=follow)


async def open_page(browser: Browser, path: str) -> str:
    """Press Pay, and on to the payment page: its address."""
    pressed = await press(browser, path, follow=False)
    opened = await browser.open(pressed.response.headers["location"], follow=False)
    return str(opened.response.headers["location"])


async def rewrite(browser: Browser, form: Screen, words: str = OTHER) -> Screen:
    """Send the form of the draft with other words for the link."""
    return await browser.submit(form.forms[-1], anchor_text=words)


async def made(shop: Shop) -> list[str]:
    """The words of the link of every order."""
    async with shop.database.transaction() as session:
        return list(await session.scalars(select(Order.anchor_text)))


async def test_while_a_bank_settles_nothing_is_offered_for_payment_and_nothing_can_be_changed(
    shop: Shop,
) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        edit = await ada.open(f"{path}/edit")
        await shop.sandbox.pay(await open_page(ada, path), card=BANK)
        await shop.work()

        for screen in (await ada.open(path), await ada.open(f"{path}/edit"), await press(ada, path)):
            assert (screen.status, screen.path) == (200, f"{path}/order")
            assert screen.heading == "Your bank is settling the payment"
        assert "You do not need to pay again" in (await press(ada, path)).text
        assert "No orders yet" not in (await ada.open("/orders")).text
        refused = await rewrite(ada, edit)
        assert refused.path == f"{path}/order"
        assert 'class="flash" data-tone="warn"' in refused.html
        assert "You do not need to pay again" in refused.text

        orders = await ada.open("/orders")
        assert "Not paid yet" not in orders.text
        assert orders.link("“The Other Ingredient, or What Your Tap Does to Your Coffee”") == f"{path}/order"
        assert "Nothing to pay for" in (await ada.open("/orders/basket")).text

        async with shop.database.transaction() as session:
            checkout = (await session.scalars(select(Checkout))).one()
        await shop.sandbox.settle(str(checkout.session_id))
        await shop.work()
        assert await made(shop) == [ANCHOR]


async def test_a_draft_that_is_paid_for_leads_on_to_its_order_whatever_is_pressed(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        edit = await ada.open(f"{path}/edit")
        await shop.sandbox.pay(await open_page(ada, path))
        # Before anybody has told us, and before a worker has made the order.
        assert (await rewrite(ada, edit)).path == f"{path}/order"
        assert (await press(ada, path)).path == f"{path}/order"
        await shop.work()
        order = f"/orders/{await shop.order_id()}"
        assert (await press(ada, path)).path == order
        assert "paid for already" in (await rewrite(ada, edit)).text
        assert await made(shop) == [ANCHOR]


async def test_what_is_paid_is_listed_as_paid_while_its_order_is_being_made(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        paid = await shop.sandbox.pay(await open_page(ada, path))
        assert paid.location is not None
        await ada.open(paid.location)
        orders = await ada.open("/orders")
        assert ("Payment received" in orders.text, "bank" in orders.text) == (True, False)
        assert orders.link("“The Other Ingredient, or What Your Tap Does to Your Coffee”") == f"{path}/order"
        assert "No orders yet" not in orders.text


async def test_a_refused_target_is_named_on_the_draft_when_pay_is_pressed(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        async with shop.database.transaction() as session:
            draft = (await session.scalars(select(Draft))).one()
            draft.target_problem = "There is no page at this address (404)."
        refused = await press(ada, path)
        assert refused.status == 422
        assert "There is no page at this address (404)." in refused.text


async def test_changing_a_draft_closes_the_page_on_which_it_could_be_paid_as_it_was(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        page = await open_page(ada, path)
        changed = await rewrite(ada, await ada.open(f"{path}/edit"))
        assert (changed.status, changed.path) == (200, path)
        assert (await shop.sandbox.pay(page)).status == 410
        await shop.sandbox.pay(await open_page(ada, path))
        await shop.work()
        assert await made(shop) == [OTHER]


@pytest.mark.slow
async def test_a_draft_stays_as_it_is_while_its_payment_page_cannot_be_closed(shop: Shop) -> None:
    async with shop.site.browser() as ada:
        path = await keep_draft(shop, ada)
        page = await open_page(ada, path)
        await shop.sandbox.order_fault("server_error", method="POST", path="/v1/checkout", count=3)
        refused = await rewrite(ada, await ada.open(f"{path}/edit"))
        assert (refused.path, "could not be closed" in refused.text) == (path, True)
        await shop.sandbox.pay(page)
        await shop.work()
        assert await made(shop) == [ANCHOR]


async def waits(shop: Shop) -> bool:
    """Whether somebody waits for somebody else's lock."""
    query = "select exists(select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    async with shop.database.transaction() as session:
        return bool(await session.scalar(text(query)))


@pytest.mark.parametrize("order_of_acts", [0, 1])
async def test_of_a_change_and_a_press_on_pay_at_once_one_waits_for_the_other(
    shop: Shop, order_of_acts: int
) -> None:
    """Who presses second sees the other words on the page, and who changes second is refused."""
    async with shop.site.browser() as ada:
        draft_id = UUID((await keep_draft(shop, ada)).rpartition("/")[2])
    person, settings = await shop.person(), shop.site.settings
    async with shop.database.transaction() as session:
        draft = await session.get_one(Draft, draft_id)
        assert draft.article_id is not None
        wish = partial(save_draft, wish=Wish(OWNER, draft.target_url, OTHER), article_id=draft.article_id)

    async def change(session: AsyncSession) -> None:
        await wish(session, browser="", person=person, settings=settings, draft_id=draft_id)

    async def pay(session: AsyncSession) -> None:
        draft = await draft_of(session, draft_id, browser="", person=person, is_held=True)
        await ask_for_payment(session, [draft], person, settings)

    async def alone(act: Callable[[AsyncSession], Awaitable[None]]) -> None:
        async with shop.database.transaction() as session:
            await act(session)

    acts = (change, pay) if order_of_acts else (pay, change)
    async with shop.database.transaction() as session:
        await acts[0](session)
        second = asyncio.create_task(alone(acts[1]))
        while not await waits(shop):
            assert not second.done()
            await asyncio.sleep(0.005)
    (came,) = await asyncio.gather(second, return_exceptions=True)
    assert isinstance(came, NoneType if order_of_acts else Conflict)
    async with shop.database.transaction() as session:
        checkout = (await session.scalars(select(Checkout))).one()
        draft = await session.get_one(Draft, draft_id)
    assert draft.anchor_text == (OTHER if order_of_acts else ANCHOR)
    assert f"“{draft.anchor_text}”" in checkout.description
