"""Chargebacks: told when they begin and when they end, in that order, whatever order the events have."""

import asyncio

import pytest

from infra.sandbox.client import CARD_IS_DISPUTED
from models.payments.disputes import sync_dispute
from models.payments.states import PaymentState
from tests.payments.shop import Shop, body, event
from tests.payments.slice import told


async def states_told(shop: Shop) -> int:
    return len(await told(shop.database, "moved"))


@pytest.mark.parametrize(
    ("outcome", "state"), [("won", PaymentState.DISPUTE_WON), ("lost", PaymentState.DISPUTE_LOST)]
)
async def test_a_dispute_is_followed_from_its_beginning_to_its_end(
    shop: Shop, outcome: str, state: PaymentState
) -> None:
    checkout = await shop.bought(card=CARD_IS_DISPUTED)
    await shop.sandbox.shift_clock(10)
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is PaymentState.DISPUTED
    [dispute] = await shop.disputes(checkout)
    assert (dispute.status, dispute.amount_cents, dispute.closed_at) == ("needs_response", 4900, None)
    await shop.sandbox.decide_dispute(dispute.stripe_id, "under_review")
    await shop.sandbox.decide_dispute(dispute.stripe_id, outcome)  # type: ignore[arg-type]
    await shop.deliver()
    assert (await shop.look(checkout)).payment_state is state
    [dispute] = await shop.disputes(checkout)
    assert dispute.status == outcome
    assert dispute.closed_at is not None
    assert await states_told(shop) == 2


async def test_only_the_last_event_of_a_dispute_has_to_arrive(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.sandbox.trouble_webhooks(drop=100)
    dispute = await shop.sandbox.dispute(str(checkout.charge_id))
    await shop.sandbox.decide_dispute(dispute["id"], "lost")
    await shop.send(body(event(dispute["id"], "charge.dispute.closed")))
    await shop.work()
    assert (await shop.look(checkout)).payment_state is PaymentState.DISPUTE_LOST
    assert await states_told(shop) == 2


async def test_an_older_look_does_not_open_a_closed_dispute_again(shop: Shop) -> None:
    checkout = await shop.bought()
    opened = await shop.sandbox.dispute(str(checkout.charge_id))
    async with shop.line() as stripe:
        older = await stripe.fetch_dispute(opened["id"])
        await shop.sandbox.decide_dispute(opened["id"], "won")
        newer = await stripe.fetch_dispute(opened["id"])
    await shop.deliver()

    async def see(facts: object) -> None:
        async with shop.database.transaction() as session:
            await sync_dispute(session, facts)  # type: ignore[arg-type]

    await asyncio.gather(*(see(facts) for facts in (older, newer, older, newer, older)))
    assert (await shop.look(checkout)).payment_state is PaymentState.DISPUTE_WON
