"""Money back: once, whatever is pressed, lost, or done by hand."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.base.errors import Conflict
from models.payments.giving import give_refund
from models.payments.refunds import refundable
from models.payments.states import PaymentState, RefundState
from models.payments.tables import Checkout
from models.payments.truths import broken_truths
from tests.payments.shop import PRICE, Shop
from tests.payments.slice import told


async def states_told(shop: Shop) -> list[str | None]:
    return [state for state, _ in await told(shop.database, "moved")]


async def test_a_refund_is_asked_for_given_and_told(shop: Shop) -> None:
    checkout = await shop.bought()
    refund = await shop.refund(checkout, "failed")
    assert refund is not None
    assert (refund.amount_cents, refund.currency, refund.state) == (PRICE, "usd", RefundState.ASKED)
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUND_PENDING
    await shop.deliver()
    back = await shop.look(checkout)
    assert (back.payment_state, back.refunded_cents) == (PaymentState.REFUNDED, PRICE)
    [given] = await shop.refunds(checkout)
    assert given.state is RefundState.SUCCEEDED
    assert str(given.stripe_id).startswith("re_")
    assert given.settled_at is not None
    assert (await states_told(shop))[-1] == "refunded"


async def test_pressing_twice_gives_back_once(shop: Shop) -> None:
    checkout = await shop.bought()
    asked = await asyncio.gather(*(shop.refund(checkout, "goodwill") for _ in range(10)))
    assert len({one.id for one in asked if one}) == 1
    await shop.deliver()
    assert (await shop.sandbox.state())["objects"]["refund"] == 1
    assert await shop.refund(checkout, "goodwill") is not None
    assert await shop.refund(checkout, "cancelled") is None
    await shop.deliver()
    assert (await shop.sandbox.state())["objects"]["refund"] == 1


@pytest.mark.slow
async def test_two_workers_on_one_refund_give_it_once(shop: Shop) -> None:
    checkout = await shop.bought()
    refund = await shop.refund(checkout, "failed")
    assert refund is not None
    async with shop.line() as stripe:
        await asyncio.gather(*(give_refund(shop.database, stripe, refund.id) for _ in range(5)))
    await shop.deliver()
    assert (await shop.sandbox.state())["objects"]["refund"] == 1
    assert (await shop.look(checkout)).refunded_cents == PRICE


@pytest.mark.slow
@pytest.mark.parametrize("days", [0, 2])
async def test_an_answer_that_is_lost_gives_back_once_also_days_later(shop: Shop, days: int) -> None:
    checkout = await shop.bought()
    await shop.sandbox.trouble_webhooks(drop=100)
    await shop.refund(checkout, "failed")
    await shop.sandbox.order_fault("lost_answer", method="POST", path="/v1/refunds", count=1)
    await shop.sandbox.order_fault("server_error", method="POST", path="/v1/refunds", count=2)
    await shop.work()
    assert [one.state for one in await shop.refunds(checkout)] == [RefundState.ASKED]
    await shop.sandbox.shift_clock(days * 86_400)
    await shop.work(hurry=True)
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED
    assert (await shop.sandbox.state())["objects"]["refund"] == 1


async def test_a_refund_that_waits_for_the_bank_is_pending_until_it_has_arrived(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.order_refunds("pending")
    await shop.refund(checkout, "rejected")
    await shop.deliver()
    [refund] = await shop.refunds(checkout)
    assert refund.state is RefundState.PENDING
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUND_PENDING
    await shop.sandbox.conclude_refund(str(refund.stripe_id))
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED
    assert (await states_told(shop))[-1] == "refunded"


async def test_a_refund_that_fails_is_told_and_can_be_asked_for_again(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.order_refunds("failed")
    await shop.refund(checkout, "rejected")
    await shop.deliver()
    [refund] = await shop.refunds(checkout)
    assert (refund.state, refund.problem) == (RefundState.FAILED, "expired_or_canceled_card")
    assert (await shop.look(checkout)).payment_state is PaymentState.PAID
    async with shop.database.transaction() as session:
        assert [one.truth for one in await broken_truths(session)] == [
            "a refund failed and nothing has replaced it"
        ]
    again = await shop.refund(checkout, "rejected")
    assert again is not None
    assert (again.id, again.attempt) == (refund.id, 2)
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED
    async with shop.database.transaction() as session:
        assert await broken_truths(session) == []


async def test_a_refund_that_comes_back_after_it_had_arrived_is_no_refund(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.refund(checkout, "rejected")
    await shop.deliver()
    [refund] = await shop.refunds(checkout)
    await shop.sandbox.conclude_refund(str(refund.stripe_id), "failed")
    await shop.deliver()
    back = await shop.look(checkout)
    assert (back.payment_state, back.refunded_cents) == (PaymentState.PAID, 0)


async def test_a_refund_from_the_dashboard_is_found_and_told(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.refund_by_hand(str(checkout.charge_id), amount=900)
    await shop.deliver()
    part = await shop.look(checkout)
    assert (part.payment_state, part.refunded_cents) == (PaymentState.PARTIALLY_REFUNDED, 900)
    [refund] = await shop.refunds(checkout)
    assert refund.kind == f"dashboard:{refund.stripe_id}"
    await shop.refund(checkout, "goodwill")
    await shop.deliver()
    whole = await shop.look(checkout)
    assert (whole.payment_state, whole.refunded_cents) == (PaymentState.REFUNDED, PRICE)
    assert [one.amount_cents for one in await shop.refunds(checkout)] == [900, PRICE - 900]


async def test_a_refund_that_somebody_gave_by_hand_meanwhile_is_done(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.trouble_webhooks(drop=100)
    await shop.refund(checkout, "failed")
    await shop.sandbox.refund_by_hand(str(checkout.charge_id))
    await shop.work()
    back = await shop.look(checkout)
    assert (back.payment_state, back.refunded_cents) == (PaymentState.REFUNDED, PRICE)
    assert {one.state for one in await shop.refunds(checkout)} == {RefundState.SUCCEEDED}
    assert (await shop.sandbox.state())["objects"]["refund"] == 1


async def test_what_is_left_is_given_when_a_part_was_given_by_hand_meanwhile(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.trouble_webhooks(drop=100)
    await shop.refund(checkout, "failed")
    await shop.sandbox.refund_by_hand(str(checkout.charge_id), amount=1000)
    await shop.work()
    assert (await shop.look(checkout)).refunded_cents == PRICE
    assert sorted(one.amount_cents for one in await shop.refunds(checkout)) == [1000, PRICE - 1000]


async def test_parts_never_add_up_to_more_than_was_paid(shop: Shop) -> None:
    checkout = await shop.bought()
    assert await shop.refund(checkout, "part-1", 4000) is not None
    with pytest.raises(Conflict):
        await shop.refund(checkout, "part-2", 1000)
    with pytest.raises(Conflict):
        await shop.refund(checkout, "part-2", 0)
    assert await shop.refund(checkout, "part-2", 900) is not None
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED


async def test_what_was_never_paid_cannot_be_refunded(shop: Shop) -> None:
    checkout = await shop.opened()
    with pytest.raises(Conflict, match="Nothing was paid"):
        await shop.refund(checkout, "failed")


async def test_a_disputed_payment_is_not_refunded_and_a_won_one_can_be(shop: Shop) -> None:
    checkout = await shop.bought()
    dispute = await shop.sandbox.dispute(str(checkout.charge_id))
    await shop.deliver()
    assert await shop.refund(checkout, "goodwill") is None
    async with shop.database.transaction() as session:
        assert "disputed" in str((await refundable(session, checkout.id)).obstacle)
    await shop.sandbox.decide_dispute(dispute["id"], "won")
    await shop.deliver()
    assert await shop.refund(checkout, "goodwill") is not None
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_refund_that_a_dispute_overtakes_waits_for_it(shop: Shop, *, is_known: bool) -> None:
    checkout = await shop.bought()
    refund = await shop.refund(checkout, "failed")
    assert refund is not None
    await shop.sandbox.trouble_webhooks(drop=0 if is_known else 100)
    dispute = await shop.sandbox.dispute(str(checkout.charge_id))
    async with shop.line() as stripe:
        assert await give_refund(shop.database, stripe, refund.id) == timedelta(hours=6)
    await shop.deliver()
    assert [one.state for one in await shop.refunds(checkout)] == [RefundState.ASKED]
    await shop.sandbox.trouble_webhooks()
    await shop.sandbox.decide_dispute(dispute["id"], "won")
    await shop.deliver()
    await shop.work(hurry=True)
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED


async def test_a_refund_is_given_up_when_the_dispute_is_lost(shop: Shop) -> None:
    checkout = await shop.bought()
    refund = await shop.refund(checkout, "failed")
    assert refund is not None
    dispute = await shop.sandbox.dispute(str(checkout.charge_id))
    await shop.sandbox.decide_dispute(dispute["id"], "lost")
    await shop.deliver()
    await shop.work(hurry=True)
    [given_up] = await shop.refunds(checkout)
    assert given_up.state is RefundState.FAILED
    assert (await shop.look(checkout)).payment_state is PaymentState.DISPUTE_LOST
    assert (await shop.sandbox.state())["objects"]["refund"] == 0


async def test_a_refund_of_a_payment_that_we_learn_of_later_is_not_lost(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100, types=("checkout.session",))
    checkout = await shop.opened()
    await shop.pay(checkout)
    async with shop.line() as stripe:
        facts = await stripe.fetch_session(str(checkout.session_id))
    assert facts.intent is not None
    assert facts.intent.charge is not None
    await shop.sandbox.refund_by_hand(facts.intent.charge.id)
    await shop.deliver()
    async with shop.database.transaction() as session:
        assert (await session.get_one(Checkout, checkout.id)).payment_state is None
        await session.execute(
            text("update payments_checkouts set created_at = now() - interval '20 minutes'")
        )
    await shop.reconcile()
    await shop.work(hurry=True)
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED
