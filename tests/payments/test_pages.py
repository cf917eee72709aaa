"""What the customer sees on the way to Stripe's page, and after it."""

import asyncio
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text, update

from infra.sandbox.client import BANK
from models.accounts.tables import Person
from models.base.db import new_id
from models.payments.states import CheckoutState
from models.payments.tables import Checkout
from tests.payments.shop import Shop

_OPEN_TRANSACTIONS = text(
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    " and state like 'idle in transaction%'"
)


async def test_a_customer_goes_to_the_payment_page_and_comes_back_to_what_was_bought(shop: Shop) -> None:
    checkout = await shop.expect()
    async with shop.browser() as browser:
        onward = await browser.open(f"/payments/{checkout.id}", follow=False)
        assert onward.status == 303
        assert onward.response.headers["location"].startswith(f"{shop.sandbox.url}/pay/cs_test_")
        paid = await shop.pay(checkout)
        back = urlsplit(str(paid.location))
        waiting = await browser.open(f"{back.path}?{back.query}")
        assert waiting.heading == "Confirming your payment…" or "setting up" in waiting.text.lower()
        await shop.deliver()
        there = await browser.open(back.path, follow=False)
        assert (there.status, there.response.headers["location"]) == (303, "/things/vase")


async def test_the_page_confirms_a_payment_that_no_webhook_has_told_of(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    async with shop.browser() as browser:
        screen = await browser.open(f"/payments/return/{checkout.id}")
        assert screen.heading == "Payment received"
        assert "TEST MODE" in screen.text
        assert 'http-equiv="refresh"' in screen.html
    assert (await shop.look(checkout)).state is CheckoutState.PAID


@pytest.mark.slow
async def test_the_page_does_not_wait_for_a_slow_stripe(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    await shop.sandbox.order_fault("slow", method="GET", path="/v1/checkout/sessions", seconds=9)
    async with shop.browser() as browser:
        screen = await browser.open(f"/payments/return/{checkout.id}")
    assert screen.heading == "Confirming your payment…"
    assert (await shop.look(checkout)).state is CheckoutState.OPEN


@pytest.mark.slow
async def test_no_transaction_is_open_while_stripe_is_slow(shop: Shop) -> None:
    checkout = await shop.expect()
    await shop.sandbox.order_fault("slow", method="POST", path="/v1/checkout/sessions", seconds=2)
    async with shop.browser() as browser:
        opening = asyncio.create_task(browser.open(f"/payments/{checkout.id}", follow=False))
        while (await shop.sandbox.state())["faults_waiting"]:
            await asyncio.sleep(0.02)
        async with shop.database.transaction() as session:
            assert (await session.execute(_OPEN_TRANSACTIONS)).scalar_one() == 0
        assert not opening.done()
        assert (await opening).status == 303


async def test_when_stripe_is_away_the_customer_is_told_that_nothing_was_charged(shop: Shop) -> None:
    checkout = await shop.expect()
    await shop.sandbox.order_fault("dropped_connection", method="POST", path="/v1/checkout", count=3)
    async with shop.browser() as browser:
        away = await browser.open(f"/payments/{checkout.id}")
        assert (away.status, away.heading) == (503, "The payment service is not reachable")
        assert "Nothing was charged" in away.text
        again = await browser.open(away.link("Try again"), follow=False)
        assert again.response.headers["location"].startswith(shop.sandbox.url)


async def test_nobody_else_sees_a_payment(shop: Shop) -> None:
    checkout = await shop.opened()
    async with shop.database.transaction() as session:
        session.add(other := Person(id=new_id(), email="eve@example.com"))
    paths = [f"/payments/{way}{checkout.id}" for way in ("", "return/", "cancelled/")]
    paths.append(f"/payments/return/{checkout.id}/events")
    async with shop.browser(other.id) as browser:
        assert [(await browser.open(path)).status for path in paths] == [404] * 4
    async with shop.site.browser() as stranger:
        answers = [await stranger.open(path, follow=False) for path in paths]
        assert {one.status for one in answers} <= {303, 401}
        assert {one.response.headers.get("location", "/sign-in") for one in answers} == {"/sign-in"}


async def test_who_leaves_the_payment_page_is_back_where_it_began(shop: Shop) -> None:
    checkout = await shop.opened()
    async with shop.browser() as browser:
        back = await browser.open(f"/payments/cancelled/{checkout.id}", follow=False)
        assert back.response.headers["location"] == "/things/vase/edit"
        await shop.pay(checkout)
        await shop.deliver()
        back = await browser.open(f"/payments/cancelled/{checkout.id}", follow=False)
        assert back.response.headers["location"] == f"/payments/return/{checkout.id}"


async def test_an_attempt_that_is_over_leads_on_and_not_to_an_error(shop: Shop) -> None:
    checkout = await shop.opened()
    async with shop.browser() as browser:
        await shop.sandbox.shift_clock(36 * 60)
        await shop.deliver()
        over = await browser.open(f"/payments/{checkout.id}", follow=False)
        assert over.response.headers["location"] == "/things/vase/edit"
        await shop.sandbox.shift_clock(-36 * 60)
        paid = await shop.bought("bowl")
        done = await browser.open(f"/payments/{paid.id}", follow=False)
        assert done.response.headers["location"] == f"/payments/return/{paid.id}"


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("failed", "The payment did not go through"),
        ("expired", "The payment page has expired"),
        ("mismatch", "This payment goes back to you"),
    ],
)
async def test_every_end_of_an_attempt_has_its_words(shop: Shop, state: str, heading: str) -> None:
    checkout = await shop.expect()
    async with shop.database.transaction() as session:
        await session.execute(update(Checkout).values(state=state))
    async with shop.browser() as browser:
        screen = await browser.open(f"/payments/return/{checkout.id}")
    assert screen.heading == heading
    assert 'http-equiv="refresh"' not in screen.html


async def test_a_bank_debit_says_that_it_takes_days(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.pay(checkout, BANK)
    await shop.deliver()
    async with shop.browser() as browser:
        screen = await browser.open(f"/payments/return/{checkout.id}")
    assert screen.heading == "Your bank is settling the payment"


async def test_an_order_that_could_not_be_made_is_admitted(shop: Shop) -> None:
    checkout = await shop.bought()
    async with shop.database.transaction() as session:
        await session.execute(text("update jobs set state = 'dead' where kind = 'test.sold'"))
    async with shop.browser() as browser:
        screen = await browser.open(f"/payments/return/{checkout.id}")
    assert "needs a person" in screen.text


async def test_the_page_changes_by_itself_until_there_is_nothing_more_to_wait_for(shop: Shop) -> None:
    checkout = await shop.opened()

    async def follow() -> str:
        async with shop.browser() as browser:
            path = f"/payments/return/{checkout.id}/events"
            async with browser.client.stream("GET", path, headers={"Accept": "text/event-stream"}) as stream:
                heard = ""
                async for chunk in stream.aiter_text():
                    heard += chunk
                    if "Confirming" in heard and not seen.is_set():
                        seen.set()
                    if "event: done" in heard:
                        break
                return heard

    seen = asyncio.Event()
    following = asyncio.create_task(follow())
    await asyncio.wait_for(seen.wait(), 20)
    await shop.pay(checkout)
    await shop.deliver()
    heard = await asyncio.wait_for(following, 40)
    assert f'hx-get="/payments/return/{checkout.id}"' in heard
