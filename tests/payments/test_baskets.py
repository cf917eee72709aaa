"""Several things paid for on one page: each has its own part of the payment, and its own fate."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import func, select, text

from infra.sandbox.client import BANK, CARD_DECLINES
from models.base.clock import now
from models.base.errors import Conflict, Temporary
from models.payments.comparison import compare_payments
from models.payments.fulfilment import fulfil
from models.payments.giving import give_refund
from models.payments.rules import share_out, split
from models.payments.states import CheckoutState, PaymentState, RefundState
from models.payments.tables import Checkout, Invoice, Refund
from models.payments.truths import broken_truths
from tests.payments.shop import Shop
from tests.payments.slice import told

C, P = CheckoutState, PaymentState
THINGS = {"vase": 4900, "bowl": 9900, "cup": 1900}
TOTAL = sum(THINGS.values())


async def filled(shop: Shop, *things: str) -> list[Checkout]:
    """A basket that nobody has opened yet."""
    names = things or tuple(THINGS)
    return await shop.expect_together(*(shop.wanted(one, amount_cents=THINGS.get(one, 900)) for one in names))


async def opened(shop: Shop, *things: str) -> list[Checkout]:
    basket = await filled(shop, *things)
    await shop.open(basket[0])
    return await shop.together(basket[0])


async def bought(shop: Shop, *things: str) -> list[Checkout]:
    basket = await opened(shop, *things)
    assert (await shop.pay(basket[0])).is_done
    await shop.deliver()
    return await shop.together(basket[0])


async def states(shop: Shop, basket: list[Checkout]) -> list[PaymentState | None]:
    return [one.payment_state for one in await shop.together(basket[0])]


async def holds(shop: Shop) -> None:
    """Nothing is broken, and Stripe's books are ours."""
    async with shop.database.transaction() as session:
        assert await broken_truths(session) == []
    async with shop.line() as stripe:
        assert await compare_payments(shop.database, stripe, now()) == []


# ---------------------------------------------------------------- paying
async def test_one_page_pays_for_everything_and_each_is_told_once(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(duplicate=10, jitter_seconds=0.05)
    basket = await opened(shop)
    assert len({one.session_id for one in basket}) == 1
    page = await shop.sandbox.pay(str(basket[0].session_url), card=CARD_DECLINES)
    assert [f"One {thing}" in page.html for thing in THINGS] == [True] * 3
    assert f"${TOTAL / 100:.2f}" in page.html
    await shop.pay(basket[1])
    await shop.deliver()
    basket = await shop.together(basket[0])
    assert [(one.state, one.payment_state) for one in basket] == [(C.PAID, P.PAID)] * 3
    assert [one.captured_cents for one in basket] == list(THINGS.values())
    assert len({(one.payment_intent_id, one.charge_id, one.paid_at) for one in basket}) == 1
    assert sorted(thing or "" for thing, _ in await told(shop.database, "sold")) == sorted(THINGS)
    async with shop.database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Invoice)) == 3
    await holds(shop)


async def test_asking_again_for_the_same_things_offers_the_same_page_and_for_others_another(
    shop: Shop,
) -> None:
    basket = await opened(shop, "vase", "bowl")
    again = await filled(shop, "bowl", "vase")
    assert {one.id for one in again} == {one.id for one in basket}
    assert await shop.open(again[0]) == basket[0].session_url
    more = await opened(shop)
    assert [one.attempt for one in more] == [2, 2, 1]
    assert [one.state for one in await shop.together(basket[0])] == [C.EXPIRED] * 2
    assert (await shop.sandbox.pay(str(basket[0].session_url))).status == 410


async def test_one_of_them_paid_alone_first_closes_the_page_of_all(shop: Shop) -> None:
    basket = await opened(shop, "vase", "bowl")
    alone = await shop.opened("vase")
    assert (alone.attempt, alone.basket_id) == (2, None)
    assert [one.state for one in await shop.together(basket[0])] == [C.EXPIRED] * 2
    await shop.pay(alone)
    await shop.work()
    with pytest.raises(Conflict, match="paid for already"):
        await filled(shop, "vase", "bowl")
    assert (await shop.opened("bowl", amount_cents=THINGS["bowl"])).attempt == 2
    assert [thing for thing, _ in await told(shop.database, "sold")] == ["vase"]


async def test_two_tabs_with_one_thing_in_common_leave_one_page_open(shop: Shop) -> None:
    async def tab(*things: str) -> None:
        with suppress(Conflict):
            await opened(shop, *things)

    await asyncio.gather(tab("vase", "bowl"), tab("bowl", "cup"), tab("bowl"))
    async with shop.database.transaction() as session:
        query = select(Checkout).where(Checkout.state == C.OPEN, Checkout.subject == "thing/bowl")
        [left] = await session.scalars(query)
    await shop.pay(left)
    await shop.work()
    assert "bowl" in [thing for thing, _ in await told(shop.database, "sold")]


async def test_a_bank_settles_or_returns_everything_together_also_when_it_is_late(shop: Shop) -> None:
    late, returned = await opened(shop, "vase", "bowl"), await opened(shop, "cup", "jug")
    for basket in (late, returned):
        await shop.pay(basket[0], BANK)
    await shop.deliver()
    assert [one.state for one in await shop.together(late[0])] == [C.PENDING] * 2
    with pytest.raises(Conflict, match="on its way"):
        await shop.expect("bowl")
    async with shop.database.transaction() as session:
        one_late = "update payments_checkouts set state = 'expired' where id = :id"
        await session.execute(text(one_late), {"id": late[1].id})
    await shop.sandbox.settle(str(late[0].session_id))
    await shop.sandbox.settle(str(returned[0].session_id), "failed")
    await shop.deliver()
    assert [one.state for one in await shop.together(late[0])] == [C.PAID] * 2
    assert [one.state for one in await shop.together(returned[0])] == [C.FAILED] * 2
    await holds(shop)


async def test_a_payment_that_is_not_the_one_that_was_owed_goes_back_whole(shop: Shop) -> None:
    basket = await opened(shop)
    async with shop.database.transaction() as session:
        first = text("update payments_checkouts set amount_cents = 5000 where id = :id")
        await session.execute(first, {"id": basket[0].id})
    await shop.pay(basket[1])
    await shop.deliver()
    odd = await shop.together(basket[0])
    assert [(one.state, one.payment_state) for one in odd] == [(C.MISMATCH, P.REFUNDED)] * 3
    assert sum(one.captured_cents for one in odd) == sum(one.refunded_cents for one in odd) == TOTAL
    assert await told(shop.database, "sold") == []


@pytest.mark.slow
async def test_twenty_at_once_from_two_sides_fulfil_once_and_wait_for_nobody_forever(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    basket = await opened(shop)
    await shop.pay(basket[0])
    async with shop.line() as stripe:
        facts = await stripe.fetch_session(str(basket[0].session_id))

    async def once() -> None:
        async with shop.database.transaction() as session:
            await fulfil(session, facts)

    await asyncio.gather(*(once() for _ in range(20)))
    await shop.work()
    assert len(await told(shop.database, "sold")) == 3


@pytest.mark.slow
async def test_a_basket_whose_webhook_or_answer_was_lost_is_found(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    paid, unknown = await opened(shop, "vase", "bowl"), await filled(shop, "cup", "jug")
    await shop.pay(paid[0])
    await shop.sandbox.order_fault("lost_answer", path="/v1/checkout/sessions", method="POST", count=3)
    with pytest.raises(Temporary):
        await shop.open(unknown[0])
    async with shop.database.transaction() as session:
        older = "update payments_checkouts set created_at = created_at - interval '20 minutes'"
        await session.execute(text(older))
    assert (await shop.reconcile())["looked_up"] == 2
    await shop.work()
    assert [one.state for one in await shop.together(paid[0])] == [C.PAID] * 2
    assert [one.state for one in await shop.together(unknown[0])] == [C.OPEN] * 2
    assert (await shop.sandbox.state())["objects"]["checkout.session"] == 2
    assert len(await told(shop.database, "sold")) == 2


async def test_a_page_that_is_still_open_beside_a_payment_of_one_of_its_things_is_closed(shop: Shop) -> None:
    basket = await opened(shop, "bowl", "cup")
    paid = await shop.bought("vase")
    async with shop.database.transaction() as session:
        beside = "update payments_checkouts set subject = 'thing/vase', attempt = 2 where id = :id"
        await session.execute(text(beside), {"id": basket[1].id})
        older = "update payments_checkouts set created_at = created_at - interval '20 minutes'"
        await session.execute(text(older))
    await shop.reconcile()
    assert [one.state for one in await shop.together(basket[0])] == [C.EXPIRED] * 2
    assert (await shop.look(paid)).state is C.PAID


# ---------------------------------------------------------------- giving back
@pytest.mark.slow
async def test_one_goes_back_and_the_others_stay_until_all_have_gone(shop: Shop) -> None:
    basket = await bought(shop)
    await shop.refund(basket[1], "rejected")
    await shop.deliver()
    assert await states(shop, basket) == [P.PAID, P.REFUNDED, P.PAID]
    await holds(shop)
    for one in basket:
        await shop.refund(one, "goodwill")
    await shop.deliver()
    assert await states(shop, basket) == [P.REFUNDED] * 3
    assert [one.refunded_cents for one in await shop.together(basket[0])] == list(THINGS.values())
    await holds(shop)


async def test_a_second_payment_for_one_of_them_goes_back_alone(shop: Shop) -> None:
    basket, alone = await opened(shop, "vase", "bowl"), await shop.bought("jug")
    # What must not happen: a page is open beside one on which somebody has paid.
    async with shop.database.transaction() as session:
        beside = "update payments_checkouts set subject = 'thing/vase', attempt = 2 where id = :id"
        await session.execute(text(beside), {"id": alone.id})
    await shop.pay(basket[0])
    await shop.deliver()
    assert await shop.refund(basket[0], "duplicate") is not None
    await shop.deliver()
    assert await states(shop, basket) == [P.REFUNDED, P.PAID]
    assert (await shop.look(alone)).payment_state is P.PAID
    await holds(shop)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cents", "parts"),
    [(THINGS["bowl"], [0, 9900, 0]), (6000, [4900, 1100, 0])],
)
async def test_a_refund_from_the_dashboard_is_shared_out_by_a_rule(
    shop: Shop, cents: int, parts: list[int]
) -> None:
    basket = await bought(shop)
    made = await shop.sandbox.refund_by_hand(str(basket[0].charge_id), amount=cents)
    await shop.deliver()
    assert [one.refunded_cents for one in await shop.together(basket[0])] == parts
    rows = [row for one in basket for row in await shop.refunds(one)]
    assert {row.kind for row in rows} == {f"dashboard:{made['id']}"}
    await shop.sandbox.conclude_refund(made["id"], "failed")
    await shop.deliver()
    assert await states(shop, basket) == [P.PAID] * 3
    for one in basket:
        await shop.refund(one, "goodwill")
    await shop.deliver()
    assert await states(shop, basket) == [P.REFUNDED] * 3


async def test_what_was_asked_for_here_is_not_taken_for_what_was_given_by_hand(shop: Shop) -> None:
    basket = await bought(shop, "vase", "bowl")
    await shop.refund(basket[0], "rejected")
    await shop.sandbox.refund_by_hand(str(basket[0].charge_id), amount=4900)
    await shop.deliver()
    assert [one.refunded_cents for one in await shop.together(basket[0])] == [4900, 4900]
    await holds(shop)


@pytest.mark.slow
@pytest.mark.parametrize("is_told_first", [True, False])
async def test_all_of_it_given_by_hand_while_one_was_to_go_back_is_given_once(
    shop: Shop, *, is_told_first: bool
) -> None:
    basket = await bought(shop, "vase", "bowl")
    refunds = [await shop.refund(one, "rejected") for one in basket]
    await shop.sandbox.trouble_webhooks(drop=0 if is_told_first else 100)
    await shop.sandbox.refund_by_hand(str(basket[0].charge_id))
    await shop.deliver()
    async with shop.line() as stripe:
        await asyncio.gather(*(give_refund(shop.database, stripe, one.id) for one in refunds if one))
    await shop.deliver()
    assert await states(shop, basket) == [P.REFUNDED] * 2
    assert [one.refunded_cents for one in await shop.together(basket[0])] == [4900, 9900]
    assert (await shop.sandbox.state())["objects"]["refund"] == 1
    async with shop.database.transaction() as session:
        assert set(await session.scalars(select(Refund.state))) == {RefundState.SUCCEEDED}
    await holds(shop)


# ---------------------------------------------------------------- disputes
@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "state"), [("won", P.DISPUTE_WON), ("lost", P.DISPUTE_LOST)])
async def test_a_dispute_freezes_whatever_has_not_gone_back_and_moves_it_together(
    shop: Shop, outcome: str, state: PaymentState
) -> None:
    basket = await bought(shop)
    await shop.sandbox.order_refunds("pending")
    await shop.refund(basket[2], "rejected")
    await shop.deliver()
    dispute = await shop.sandbox.dispute(str(basket[0].charge_id))
    await shop.deliver()
    assert await states(shop, basket) == [P.DISPUTED, P.DISPUTED, P.REFUND_PENDING]
    assert [await shop.refund(one, "goodwill") for one in basket] == [None] * 3
    [refund] = await shop.refunds(basket[2])
    await shop.sandbox.conclude_refund(str(refund.stripe_id))
    parts = [one.amount_cents for part in basket for one in await shop.disputes(part)]
    assert parts == [4900, 9900]
    await shop.sandbox.decide_dispute(dispute["id"], outcome)  # type: ignore[arg-type]
    await shop.deliver()
    assert await states(shop, basket) == [state, state, P.REFUNDED]
    await holds(shop)


# ---------------------------------------------------------------- the rules
def test_an_amount_is_divided_in_whole_cents_that_add_up() -> None:
    assert split(TOTAL, [4900, 9900, 1900]) == [4900, 9900, 1900]
    assert split(100, [1, 1, 1]) == [33, 33, 34]
    assert split(5, [4900]) == [5]


def test_a_refund_that_names_nobody_goes_to_whom_it_fits_or_from_the_first_on() -> None:
    assert share_out(300, [500, 300, 300]) == [0, 300, 0]
    assert share_out(600, [500, 300, 200]) == [500, 100, 0]
    assert share_out(1200, [500, 300, 200]) == [500, 300, 400]
    assert share_out(5, [0]) == [5]
