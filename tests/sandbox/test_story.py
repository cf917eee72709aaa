"""A purchase from the first click to the money given back, as the product will live it."""

import stripe

from infra.sandbox.client import BANK, CARD_DECLINES, CARD_IS_DISPUTED, CARD_PAYS, SandboxClient
from tests.sandbox.buyer import Buyer


async def test_a_customer_is_declined_once_then_pays_and_the_shop_is_told(
    buyer: Buyer, client: stripe.StripeClient
):
    session = await buyer.begin()
    assert (session.status, session.payment_status, session.livemode) == ("open", "unpaid", False)
    assert session.url is not None
    assert session.id.startswith("cs_test_")

    declined = await buyer.sandbox.pay(session.url, card=CARD_DECLINES)
    assert declined.status == 422
    assert "Your card was declined." in declined.html
    assert (await buyer.look(session.id)).status == "open"

    paid = await buyer.sandbox.pay(session.url, card=CARD_PAYS)
    assert paid.location == f"http://localhost:8000/return?session_id={session.id}"
    # The redirect waited for the webhook: the shop knows before the customer is back.
    assert "checkout.session.completed" in buyer.types()

    done = await buyer.look(session.id)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.client_reference_id == "draft-1"
    assert done.customer_details is not None
    assert done.customer_details.email == "ada@example.com"
    intent = done.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert intent.metadata["draft_id"] == "1"
    assert (intent.status, intent.amount_received) == ("succeeded", 4900)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.paid
    assert done.line_items is not None
    assert [item.amount_total for item in done.line_items.data] == [4900]

    refund = await client.v1.refunds.create_async({"payment_intent": intent.id, "metadata": {"order": "7"}})
    assert (refund.status, refund.amount) == ("succeeded", 4900)
    assert refund.metadata is not None
    assert refund.metadata["order"] == "7"
    assert (await buyer.charge_of(session)).refunded
    await buyer.told("charge.refunded", "refund.created")
    assert {event.api_version for event in buyer.events()} == {stripe.api_version}


async def test_a_bank_debit_completes_unpaid_and_is_paid_when_the_clock_says_so(buyer: Buyer):
    session = await buyer.buy(card=BANK)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    await buyer.sandbox.shift_clock(3600)
    assert (await buyer.look(session.id)).payment_status == "paid"
    await buyer.told("checkout.session.async_payment_succeeded", "payment_intent.succeeded")


async def test_a_bank_debit_may_fail_in_the_end(buyer: Buyer):
    session = await buyer.buy(card=BANK)
    await buyer.sandbox.settle(session.id, "failed")
    failed = await buyer.look(session.id)
    assert (failed.status, failed.payment_status) == ("complete", "unpaid")
    assert isinstance(failed.payment_intent, stripe.PaymentIntent)
    assert failed.payment_intent.status == "requires_payment_method"
    await buyer.told("checkout.session.async_payment_failed", "charge.failed")


async def test_an_abandoned_session_expires_by_the_clock(buyer: Buyer, sandbox: SandboxClient):
    session = await buyer.begin()
    assert session.url is not None
    await sandbox.shift_clock(24 * 3600 + 1)
    assert (await buyer.look(session.id)).status == "expired"
    assert (await sandbox.pay(session.url)).status == 410
    await buyer.told("checkout.session.expired")


async def test_the_disputing_card_pays_and_is_disputed_a_little_later(
    buyer: Buyer, client: stripe.StripeClient
):
    session = await buyer.buy(card=CARD_IS_DISPUTED)
    assert not (await buyer.charge_of(session)).disputed
    await buyer.sandbox.shift_clock(6)
    charge = await buyer.charge_of(session)
    assert charge.disputed
    await buyer.told("charge.dispute.created", "charge.dispute.funds_withdrawn")
    (dispute,) = (await client.v1.disputes.list_async({"charge": charge.id})).data
    assert (dispute.status, dispute.amount) == ("needs_response", 4900)

    lost = await buyer.sandbox.decide_dispute(dispute.id, "lost")
    assert lost["status"] == "lost"
    await buyer.told("charge.dispute.closed")
