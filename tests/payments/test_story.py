"""Buying something: what is expected, what is paid, and that it happens once."""

import asyncio
from contextlib import suppress

import pytest

from infra.sandbox.client import CARD_ASKS, CARD_DECLINES
from models.base.errors import Temporary
from models.payments.states import CheckoutState, PaymentState
from tests.payments.shop import Shop
from tests.payments.slice import told


async def test_a_customer_pays_and_the_slice_is_told_once(shop: Shop) -> None:
    checkout = await shop.expect()
    assert (checkout.state, checkout.attempt) == (CheckoutState.NEW, 1)
    await shop.open(checkout)
    paid = await shop.pay(checkout)
    assert paid.location is not None
    assert paid.location.startswith(f"{shop.url}/payments/return/{checkout.id}?session_id=cs_test_")
    await shop.work()

    bought = await shop.look(checkout)
    assert (bought.state, bought.payment_state) == (CheckoutState.PAID, PaymentState.PAID)
    assert (bought.captured_cents, bought.captured_currency, bought.refunded_cents) == (4900, "usd", 0)
    assert bought.payment_intent_id is not None
    assert bought.charge_id is not None
    assert bought.paid_at is not None
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_a_declined_card_changes_nothing_and_another_one_pays(shop: Shop) -> None:
    checkout = await shop.opened()
    assert not (await shop.pay(checkout, CARD_DECLINES)).is_done
    await shop.deliver()
    assert (await shop.look(checkout)).state is CheckoutState.OPEN
    assert (await shop.pay(checkout, CARD_ASKS)).is_done
    await shop.work()
    assert (await shop.look(checkout)).state is CheckoutState.PAID
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_asking_again_offers_the_same_attempt(shop: Shop) -> None:
    checkout = await shop.opened()
    again = await shop.expect()
    assert again.id == checkout.id
    assert await shop.open(again) == checkout.session_url
    assert (await shop.sandbox.state())["objects"]["checkout.session"] == 1


async def test_a_new_price_closes_the_old_page_before_the_new_one_opens(shop: Shop) -> None:
    old = await shop.opened()
    new = await shop.opened(amount_cents=5900)
    assert (new.attempt, new.state) == (2, CheckoutState.OPEN)
    assert (await shop.look(old)).state is CheckoutState.EXPIRED
    assert (await shop.sandbox.pay(str(old.session_url))).status == 410
    assert (await shop.pay(new)).is_done
    await shop.work()
    assert await told(shop.database, "sold") == [("vase", new.id)]


@pytest.mark.slow
async def test_ten_tabs_that_open_one_attempt_share_one_page(shop: Shop) -> None:
    checkout = await shop.expect()

    async def tab() -> str:
        for _ in range(20):
            with suppress(Temporary):  # Stripe is busy with another tab's: this one is told to try again
                return await shop.open(checkout)
            await asyncio.sleep(0.1)
        raise AssertionError("no page within twenty tries")

    urls = await asyncio.gather(*(tab() for _ in range(10)))
    assert len(set(urls)) == 1
    assert (await shop.sandbox.state())["objects"]["checkout.session"] == 1
