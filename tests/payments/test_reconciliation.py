"""What is found when webhooks are lost, and what the books say in the end."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from infra.sandbox.client import BANK
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Temporary
from models.payments.comparison import compare_payments
from models.payments.differences import differences, open_differences
from models.payments.reconciliation import fetch_missed_events
from models.payments.states import CheckoutState, EventState, PaymentState, RefundState
from models.payments.tables import Checkout, Difference, Refund
from models.payments.truths import TRUTHS, broken_truths
from tests.payments.shop import Shop
from tests.payments.slice import told


async def age(shop: Shop, minutes: int = 20) -> None:
    async with shop.database.transaction() as session:
        older = {"created_at": Checkout.created_at - timedelta(minutes=minutes)}
        await session.execute(update(Checkout).values(older))


async def test_a_paid_session_whose_webhook_was_lost_is_found(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    assert await shop.reconcile() == {"looked_up": 0, "moved": 0, "asked_again": 0}
    await age(shop)
    assert await shop.reconcile() == {"looked_up": 1, "moved": 1, "asked_again": 0}
    await shop.work()
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_attempts_end_as_their_sessions_did(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    expired, waiting, lost = [await shop.opened(one) for one in ("vase", "bowl", "cup")]
    await shop.pay(waiting, BANK)
    never = await shop.expect("jug")
    await shop.sandbox.shift_clock(36 * 60)
    async with shop.database.transaction() as session:
        gone = {"session_id": "cs_test_gone", "expires_at": now() - timedelta(minutes=1)}
        await session.execute(update(Checkout).where(Checkout.id == lost.id).values(gone))
        past = {"expires_at": now() + timedelta(minutes=15)}
        await session.execute(update(Checkout).where(Checkout.id == never.id).values(past))
    await age(shop)
    assert (await shop.reconcile())["moved"] == 4
    found = [(await shop.look(one)).state for one in (expired, waiting, lost, never)]
    assert found == [
        CheckoutState.EXPIRED,
        CheckoutState.PENDING,
        CheckoutState.EXPIRED,
        CheckoutState.FAILED,
    ]


@pytest.mark.slow
async def test_a_session_whose_answer_was_lost_is_known_again(shop: Shop) -> None:
    checkout = await shop.expect()
    await shop.sandbox.order_fault("lost_answer", path="/v1/checkout/sessions", method="POST", count=3)
    with pytest.raises(Temporary):
        await shop.open(checkout)
    await age(shop)
    await shop.reconcile()
    assert (await shop.look(checkout)).state is CheckoutState.OPEN
    assert (await shop.sandbox.state())["objects"]["checkout.session"] == 1


async def test_a_page_that_is_still_open_beside_a_paid_one_is_closed(shop: Shop) -> None:
    checkout = await shop.opened("bowl")
    paid = await shop.bought("vase")
    async with shop.database.transaction() as session:
        beside = {"subject": paid.subject, "attempt": 2}
        await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(beside))
    await age(shop)
    await shop.reconcile()
    assert (await shop.sandbox.pay(str(checkout.session_url))).status == 410


async def test_refunds_and_events_that_nobody_works_on_are_asked_for_again(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.refund(checkout, "failed")
    async with shop.database.transaction() as session:
        await session.execute(
            text("update jobs set state = 'dead', finished_at = now() where finished_at is null")
        )
        await session.execute(text("update payments_refunds set created_at = now() - interval '2 hours'"))
        assert [one.truth for one in await broken_truths(session)] == [
            "a refund was asked for an hour ago and not given"
        ]
    assert (await shop.reconcile())["asked_again"] == 1
    assert (await shop.reconcile())["asked_again"] == 0
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.REFUNDED


async def test_events_that_could_not_be_delivered_are_fetched(shop: Shop) -> None:
    await shop.sandbox.deliver_to(f"{shop.url}/nowhere", secret="whsec_x")
    checkout = await shop.opened()
    await shop.pay(checkout)
    async with shop.line() as stripe:
        missed = await fetch_missed_events(shop.database, stripe, now(), is_live=False)
        assert missed >= 1
        assert await fetch_missed_events(shop.database, stripe, now(), is_live=False) == 0
    await shop.work()
    assert (await shop.look(checkout)).state is CheckoutState.PAID
    assert EventState.PROCESSED in {one.state for one in await shop.events()}


async def test_books_that_agree_show_nothing(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.refund(checkout, "goodwill", 900)
    await shop.deliver()
    async with shop.line() as stripe:
        assert await compare_payments(shop.database, stripe, now()) == []


async def test_books_that_differ_are_brought_up_to_date_or_shown(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    paid, lied = await shop.opened("vase"), await shop.opened("bowl")
    await shop.pay(paid)
    async with shop.database.transaction() as session:
        claim = {"state": CheckoutState.PAID, "payment_state": PaymentState.PAID, "paid_at": now()}
        await session.execute(update(Checkout).where(Checkout.id == lied.id).values(claim))
        session.add(
            Refund(
                id=new_id(),
                checkout_id=lied.id,
                kind="x",
                amount_cents=1,
                currency="usd",
                state=RefundState.SUCCEEDED,
                stripe_id="re_of_nobody",
            )
        )
    async with shop.line() as stripe:
        found = await compare_payments(shop.database, stripe, now())
    assert sorted((one.stripe_id, one.what) for one in found) == sorted(
        [(str(lied.session_id), "not paid at Stripe"), ("re_of_nobody", "not refunded at Stripe")]
    )
    assert (await shop.look(paid)).state is CheckoutState.PAID
    async with shop.database.transaction() as session:
        assert await open_differences(session) == 2
        assert "Stripe's books differ from ours" in {one.truth for one in await broken_truths(session)}
        await session.execute(text("delete from payments_refunds"))
        await session.execute(update(Checkout).where(Checkout.id == lied.id).values(state=CheckoutState.OPEN))
    async with shop.line() as stripe:
        assert await compare_payments(shop.database, stripe, now()) == []
    async with shop.database.transaction() as session:
        assert await open_differences(session) == 0
        assert len((await differences(session)).items) == 2


async def test_every_truth_can_be_asked_and_holds_in_an_empty_shop(shop: Shop) -> None:
    async with shop.database.transaction() as session:
        assert await broken_truths(session) == []
    assert len(TRUTHS) >= 10


async def test_a_difference_stays_open_however_old_it_is_until_it_is_seen_to_be_gone(shop: Shop) -> None:
    checkout = await shop.opened()
    async with shop.database.transaction() as session:
        old = now() - timedelta(days=9)
        lied = {
            "stripe_id": str(checkout.session_id),
            "what": "not paid at Stripe",
            "words": "Not paid there.",
        }
        session.add(Difference(checkout_id=checkout.id, found_at=old, seen_at=old, **lied))
        claim = {"state": CheckoutState.PAID, "payment_state": PaymentState.PAID, "paid_at": old}
        await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(claim))
    await _compare(shop)
    async with shop.database.transaction() as session:
        assert await open_differences(session) == 1
    await shop.pay(checkout)
    await _compare(shop)
    async with shop.database.transaction() as session:
        assert await open_differences(session) == 0
        assert (await differences(session)).items[0].row.gone_at is not None


async def test_what_was_understood_is_open_again_when_it_becomes_something_else(shop: Shop) -> None:
    paid = await shop.bought()
    async with shop.database.transaction() as session:
        known = {"stripe_id": "re_of_nobody", "what": "not refunded at Stripe", "reason": "I know."}
        session.add(Difference(words="It was another sum.", understood_at=now(), **known))
        nobody = {"kind": "x", "amount_cents": 1, "currency": "usd", "stripe_id": "re_of_nobody"}
        session.add(Refund(id=new_id(), checkout_id=paid.id, state=RefundState.SUCCEEDED, **nobody))
    await _compare(shop)
    async with shop.database.transaction() as session:
        assert await open_differences(session) == 1
        assert (await differences(session)).items[0].row.reason is None


async def _compare(shop: Shop) -> None:
    async with shop.line() as stripe:
        await compare_payments(shop.database, stripe, now())
