"""When a payment is true: whatever comes first, however often, and only if it is the one that was owed."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from infra.sandbox.client import BANK
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Conflict, Temporary
from models.payments.checkouts import begin_session
from models.payments.fulfilment import fulfil
from models.payments.inbox import look_up
from models.payments.states import CheckoutState, PaymentState, RefundState
from models.payments.tables import Checkout
from models.payments.truths import broken_truths
from tests.payments.shop import Shop, body, event
from tests.payments.slice import told


@pytest.mark.slow
async def test_eighty_at_once_from_three_sides_sell_once(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    async with shop.line() as stripe:
        facts = await stripe.fetch_session(str(checkout.session_id))

    async def once() -> None:
        async with shop.database.transaction() as session:
            await fulfil(session, facts)

    events = [shop.send(body(event(facts.id))) for _ in range(20)]
    await asyncio.gather(*(once() for _ in range(60)), *events)
    await shop.work()
    assert await shop.jobs("test.sold") == 1
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_an_older_look_at_the_session_undoes_nothing(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.pay(checkout, BANK)
    async with shop.line() as stripe:
        pending = await stripe.fetch_session(str(checkout.session_id))
    await shop.sandbox.settle(pending.id)
    await shop.deliver()
    async with shop.database.transaction() as session:
        assert [one.state for one in await fulfil(session, pending)] == [CheckoutState.PAID]


async def test_a_bank_debit_sells_when_it_has_settled(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.pay(checkout, BANK)
    await shop.deliver()
    assert (await shop.look(checkout)).state is CheckoutState.PENDING
    assert await told(shop.database, "sold") == []
    with pytest.raises(Conflict, match="on its way"):
        await shop.expect()
    await shop.sandbox.settle(str(checkout.session_id))
    await shop.deliver()
    assert (await shop.look(checkout)).state is CheckoutState.PAID
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_a_bank_debit_that_comes_back_was_no_payment(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.pay(checkout, BANK)
    await shop.deliver()
    await shop.sandbox.settle(str(checkout.session_id), "failed")
    await shop.deliver()
    failed = await shop.look(checkout)
    assert (failed.state, failed.payment_state) == (CheckoutState.FAILED, None)
    assert await told(shop.database, "sold") == []
    assert (await shop.opened()).attempt == 2


async def test_an_expired_page_can_be_opened_again_as_a_new_attempt(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.sandbox.shift_clock(36 * 60)
    await shop.deliver()
    assert (await shop.look(checkout)).state is CheckoutState.EXPIRED


async def test_money_that_arrives_after_expiry_has_arrived(shop: Shop) -> None:
    checkout = await shop.opened()
    await shop.pay(checkout, BANK)
    async with shop.database.transaction() as session:
        await session.execute(text("update payments_checkouts set state = 'expired'"))
    await shop.sandbox.settle(str(checkout.session_id))
    await shop.deliver()
    assert (await shop.look(checkout)).state is CheckoutState.PAID
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("amount_cents = 5000", "amount"),
        ("currency = 'eur'", "currency"),
        ("subject = 'thing/other'", "subject"),
        ("is_live = true", "live mode"),
    ],
)
async def test_a_payment_that_is_not_the_one_that_was_owed_goes_back(
    shop: Shop, change: str, words: str
) -> None:
    checkout = await shop.opened()
    async with shop.database.transaction() as session:
        await session.execute(text(f"update payments_checkouts set {change}"))
    await shop.pay(checkout)
    await shop.deliver()
    odd = await shop.look(checkout)
    assert (odd.state, odd.payment_state) == (CheckoutState.MISMATCH, PaymentState.REFUNDED)
    assert words in str(odd.problem)
    [refund] = await shop.refunds(checkout)
    assert (refund.kind, refund.state, refund.amount_cents) == ("mismatch", RefundState.SUCCEEDED, 4900)
    assert refund.currency == "usd"
    assert await told(shop.database, "sold") == []


async def test_two_paid_sessions_of_one_subject_are_both_told_and_the_second_can_go_back(shop: Shop) -> None:
    first = await shop.opened()
    # What must not happen: a second page is open beside the first.
    async with shop.database.transaction() as session:
        row = {column.name: getattr(first, column.name) for column in Checkout.__table__.columns}
        second_id = new_id()
        when_paid = first.when_paid | {"args": first.when_paid["args"] | {"checkout_id": str(second_id)}}
        row |= {"id": second_id, "attempt": 2, "state": CheckoutState.NEW, "when_paid": when_paid}
        second = Checkout(**(row | {"session_id": None, "session_url": None}))
        session.add(second)
    async with shop.line() as stripe:
        facts = await begin_session(shop.database, stripe, [second], public_url=shop.url)
        assert facts is not None
        await look_up(shop.database, stripe, facts.id)
    await shop.pay(first)
    await shop.pay(second)
    await shop.deliver()
    assert sorted(await told(shop.database, "sold")) == sorted([("vase", first.id), ("vase", second.id)])
    async with shop.database.transaction() as session:
        await session.execute(text("update payments_checkouts set paid_at = paid_at - interval '11 minutes'"))
        assert [one.about for one in await broken_truths(session)] == ["thing/vase"]
    assert await shop.refund(second, "duplicate") is not None
    await shop.deliver()
    assert (await shop.look(second)).payment_state is PaymentState.REFUNDED
    assert (await shop.look(first)).payment_state is PaymentState.PAID
    async with shop.database.transaction() as session:
        assert await broken_truths(session) == []


async def test_what_was_paid_cannot_be_paid_again(shop: Shop) -> None:
    checkout = await shop.bought()
    with pytest.raises(Conflict, match="paid for already"):
        await shop.expect()
    with pytest.raises(Conflict, match="paid for already"):
        await shop.open(checkout)


async def test_a_customer_who_pays_the_old_page_first_is_not_offered_the_new_one(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    old = await shop.opened()
    new = await shop.expect(amount_cents=5900)
    await shop.pay(old)
    with pytest.raises(Conflict, match="paid for already"):
        await shop.open(new)
    await shop.work()
    assert await told(shop.database, "sold") == [("vase", old.id)]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lost_answer", "dropped_connection", "server_error"])
async def test_an_answer_that_is_lost_makes_neither_a_second_session_nor_a_second_attempt(
    shop: Shop, fault: str
) -> None:
    checkout = await shop.expect()
    await shop.sandbox.order_fault(fault, path="/v1/checkout/sessions", method="POST", count=3)  # type: ignore[arg-type]
    with pytest.raises(Temporary):
        await shop.open(checkout)
    assert (await shop.look(checkout)).state is CheckoutState.NEW
    assert (await shop.expect()).id == checkout.id
    await shop.open(checkout)
    assert (await shop.look(checkout)).state is CheckoutState.OPEN
    assert (await shop.sandbox.state())["objects"]["checkout.session"] == 1


@pytest.mark.slow
async def test_a_session_whose_answer_was_lost_is_closed_before_the_next_opens(shop: Shop) -> None:
    old = await shop.expect()
    await shop.sandbox.order_fault("lost_answer", path="/v1/checkout/sessions", method="POST", count=3)
    with pytest.raises(Temporary):
        await shop.open(old)
    new = await shop.opened(amount_cents=5900)
    closed = await shop.look(old)
    assert (closed.state, new.state) == (CheckoutState.EXPIRED, CheckoutState.OPEN)
    assert (await shop.sandbox.pay(f"{shop.sandbox.url}/pay/{closed.session_id}")).status == 410


async def test_what_stripe_refuses_has_failed_and_can_be_tried_as_a_new_attempt(shop: Shop) -> None:
    checkout = await shop.expect(amount_cents=1)
    with pytest.raises(Conflict, match="Nothing was charged"):
        await shop.open(checkout)
    refused = await shop.look(checkout)
    assert refused.state is CheckoutState.FAILED
    assert "at least" in str(refused.problem)
    assert (await shop.opened()).attempt == 2


async def test_an_attempt_that_is_nearly_over_is_not_offered_again(shop: Shop) -> None:
    checkout = await shop.opened()
    later = now() + timedelta(minutes=31)
    assert (await shop.expect(at=later)).id != checkout.id
