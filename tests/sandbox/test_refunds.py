"""Money goes back at most once, and never while somebody else is taking it."""

import asyncio
from typing import Any

import asyncpg
import pytest
import stripe

from infra.sandbox.client import BANK
from tests.sandbox.buyer import Buyer


async def _code(client: stripe.StripeClient, **params: Any) -> str | None:
    wanted: Any = params
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.refunds.create_async(wanted)
    return caught.value.code


async def test_a_second_refund_is_refused(buyer: Buyer, client: stripe.StripeClient):
    charge = await buyer.charge_of(await buyer.buy())
    await client.v1.refunds.create_async({"charge": charge.id, "reason": "requested_by_customer"})
    assert await _code(client, charge=charge.id) == "charge_already_refunded"


async def test_parts_are_refunded_up_to_the_whole(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy()
    charge = await buyer.charge_of(session)
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 4000})
    assert not (await buyer.charge_of(session)).refunded
    assert await _code(client, charge=charge.id, amount=901) is None
    rest = await client.v1.refunds.create_async({"charge": charge.id})
    assert rest.amount == 900
    assert (await buyer.charge_of(session)).refunded


async def test_many_refunds_at_once_give_back_the_money_once(
    buyer: Buyer, client: stripe.StripeClient, sandbox_database: str
):
    session = await buyer.buy()
    charge = await buyer.charge_of(session)
    database = await asyncpg.connect(sandbox_database)
    async with database.transaction():
        # Nobody can write the charge while this is held, so all of them have read it before anyone changes it.
        await database.execute("SELECT FROM pay_sandbox.object WHERE id = $1 FOR UPDATE", charge.id)
        calls = [asyncio.create_task(client.v1.refunds.create_async({"charge": charge.id})) for _ in range(6)]
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(60):
            while await database.fetchval(waiting) < len(calls):
                await asyncio.sleep(0.02)
                # What a transaction has once seen of the others' activity it sees until its end.
                await database.execute("SELECT pg_stat_clear_snapshot()")
    await database.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, stripe.Refund) for answer in answers) == 1
    assert (await buyer.charge_of(session)).amount_refunded == 4900


async def test_a_disputed_charge_is_not_refunded_until_the_dispute_is_won(
    buyer: Buyer, client: stripe.StripeClient
):
    charge = await buyer.charge_of(await buyer.buy())
    dispute = await buyer.sandbox.dispute(charge.id)
    assert await _code(client, charge=charge.id) == "charge_disputed"
    await buyer.sandbox.decide_dispute(dispute["id"], "under_review")
    await buyer.sandbox.decide_dispute(dispute["id"], "won")
    assert (await client.v1.refunds.create_async({"charge": charge.id})).status == "succeeded"
    await buyer.told("charge.dispute.updated", "charge.dispute.funds_reinstated", "charge.dispute.closed")


async def test_a_pending_refund_succeeds_later(buyer: Buyer, client: stripe.StripeClient):
    charge = await buyer.charge_of(await buyer.buy())
    await buyer.sandbox.order_refunds("pending")
    refund = await client.v1.refunds.create_async({"charge": charge.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    await buyer.sandbox.conclude_refund(refund.id)
    assert (await client.v1.refunds.retrieve_async(refund.id)).status == "succeeded"
    await buyer.told("refund.updated")


async def test_a_failed_refund_gives_the_money_back_to_the_shop(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy()
    charge = await buyer.charge_of(session)
    refund = await client.v1.refunds.create_async({"charge": charge.id})
    await buyer.sandbox.conclude_refund(refund.id, "failed")
    after = await buyer.charge_of(session)
    assert (after.refunded, after.amount_refunded) == (False, 0)
    await buyer.told("refund.failed", "refund.updated")
    assert (await client.v1.refunds.create_async({"charge": charge.id})).status == "succeeded"


async def test_a_refund_may_fail_at_once(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy()
    charge = await buyer.charge_of(session)
    await buyer.sandbox.order_refunds("failed")
    assert (await client.v1.refunds.create_async({"charge": charge.id})).status == "failed"
    assert (await buyer.charge_of(session)).amount_refunded == 0


async def test_what_was_never_captured_is_not_refunded(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy(card=BANK)
    charge = await buyer.charge_of(session)
    assert await _code(client, charge=charge.id) is None
    assert await _code(client, charge="ch_nobody") == "resource_missing"
    assert await _code(client) == "parameter_missing"


async def test_a_refund_by_hand_is_told_like_any_other(buyer: Buyer, client: stripe.StripeClient):
    charge = await buyer.charge_of(await buyer.buy())
    made = await buyer.sandbox.refund_by_hand(charge.id, amount=1000)
    await buyer.told("charge.refunded", "refund.created")
    (refund,) = (await client.v1.refunds.list_async({"charge": charge.id})).data
    assert (refund.id, refund.amount) == (made["id"], 1000)
