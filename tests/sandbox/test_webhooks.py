"""Events come signed, at least once, in no promised order, and whatever the receiver does."""

import asyncio
import time
from collections.abc import Callable

import pytest
import stripe

from infra.sandbox.client import SandboxClient
from tests.sandbox.buyer import Buyer
from tests.sandbox.servers import SECRET, Receiver, receiving

OF_A_PURCHASE = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}


async def test_an_event_that_is_not_taken_comes_again(
    buyer: Buyer, receiver: Receiver, client: stripe.StripeClient
):
    receiver.answers = [503] * 4
    await buyer.buy()
    await receiver.until(lambda: len(receiver.received) >= 8)
    ids = [event.id for event in buyer.events()]
    assert sorted(ids) == sorted(2 * [*dict.fromkeys(ids)])
    await _all_delivered(buyer.sandbox)
    assert (await client.v1.events.list_async({"delivery_success": False})).data == []
    assert {event.pending_webhooks for event in (await client.v1.events.list_async()).data} == {0}


async def _until(sandbox: SandboxClient, is_so: Callable[[dict[str, int]], bool]) -> None:
    """Wait until the counts of deliveries by state are as wanted."""
    async with asyncio.timeout(10):
        while not is_so((await sandbox.state())["deliveries"]):
            await asyncio.sleep(0.05)


async def _all_delivered(sandbox: SandboxClient) -> None:
    await _until(sandbox, lambda deliveries: deliveries["waiting"] == 0)


async def test_another_secret_is_found_out(buyer: Buyer, receiver: Receiver, client: stripe.StripeClient):
    await buyer.buy()
    body, header = receiver.received[0]
    with pytest.raises(stripe.SignatureVerificationError):
        client.construct_event(body, header, "whsec_other")
    with pytest.raises(stripe.SignatureVerificationError):
        client.construct_event(body.replace(b"usd", b"eur"), header, SECRET)


async def test_dropped_events_are_found_among_the_undelivered(buyer: Buyer, client: stripe.StripeClient):
    await buyer.sandbox.trouble_webhooks(drop=1, types=("checkout.session.completed",))
    session = await buyer.buy()
    await buyer.told(*OF_A_PURCHASE - {"checkout.session.completed"})
    await _all_delivered(buyer.sandbox)
    (missed,) = (await client.v1.events.list_async({"delivery_success": False})).data
    assert (missed.type, missed.data.object["id"], missed.pending_webhooks) == (
        "checkout.session.completed",
        session.id,
        1,
    )
    await buyer.sandbox.resend(missed.id)
    await buyer.told("checkout.session.completed")
    await _all_delivered(buyer.sandbox)
    assert (await client.v1.events.list_async({"delivery_success": False})).data == []


async def test_duplicates_come_on_order(buyer: Buyer, receiver: Receiver):
    await buyer.sandbox.trouble_webhooks(duplicate=4)
    await buyer.buy()
    await receiver.until(lambda: len(receiver.received) >= 8)
    assert sorted(buyer.types()) == sorted([*OF_A_PURCHASE, *OF_A_PURCHASE])


async def test_delayed_events_do_not_hold_up_the_customer(buyer: Buyer, receiver: Receiver):
    await buyer.sandbox.trouble_webhooks(delay_seconds=600, jitter_seconds=60)
    session = await buyer.buy()
    assert session.payment_status == "paid"
    assert receiver.received == []
    await buyer.sandbox.shift_clock(700)
    await buyer.told(*OF_A_PURCHASE)


async def test_a_hanging_receiver_holds_up_neither_the_api_nor_other_receivers(
    buyer: Buyer, receiver: Receiver
):
    async with receiving() as slow:
        slow.pause = 8
        await buyer.sandbox.deliver_to(slow.url, receiver.url, secret=SECRET)
        for _ in range(3):
            session = await buyer.begin()
            await buyer.client.v1.checkout.sessions.expire_async(session.id)
        await receiver.until(lambda: len(receiver.received) >= 3, within=5)
        assert slow.received == []


async def test_the_customer_goes_on_though_the_receiver_is_dead(buyer: Buyer):
    await buyer.sandbox.deliver_to("http://127.0.0.1:9/", secret=SECRET)
    assert (await buyer.buy()).payment_status == "paid"
    (sample, *_) = await buyer.sandbox.deliveries()
    assert sample["attempts"] >= 1
    assert sample["state"] == "waiting"


async def test_deliveries_are_given_up_after_three_days(buyer: Buyer, receiver: Receiver):
    session = await buyer.begin()
    receiver.answers = [500] * 100
    await buyer.client.v1.checkout.sessions.expire_async(session.id)
    await receiver.until(lambda: len(receiver.received) >= 1)
    await buyer.sandbox.shift_clock(4 * 24 * 3600)
    await _until(buyer.sandbox, lambda deliveries: deliveries["given_up"] == 1)


async def test_signatures_carry_the_real_time_whatever_the_sandbox_clock_says(
    buyer: Buyer, receiver: Receiver
):
    await buyer.sandbox.shift_clock(-30 * 24 * 3600)
    session = await buyer.begin()
    assert session.created < time.time() - 29 * 24 * 3600
    await buyer.client.v1.checkout.sessions.expire_async(session.id)
    await buyer.told("checkout.session.expired")
