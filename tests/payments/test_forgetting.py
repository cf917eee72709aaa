"""What is left of somebody who paid: that they did, how much, and what became of it."""

from datetime import timedelta

from sqlalchemy import text, update

from models.accounts.leaving import leave
from models.accounts.tables import Person
from models.base.clock import now
from models.everything import metadata
from models.payments.retention import KEPT, forget_old_payers
from models.payments.tables import Checkout, Dispute, Refund, StripeEvent
from tests.payments.shop import Shop, event

#: As Stripe writes them into sessions, charges and disputes.
PAYER = {"email": "ada@example.com", "name": "Ada Byron", "address": {"line1": "12 St James's Square"}}
TOLD = {
    "cs_1": ("checkout.session.completed", {"amount_total": 4900, "customer_details": PAYER}),
    "ch_1": ("charge.refunded", {"amount": 4900, "billing_details": PAYER, "receipt_email": PAYER["email"]}),
    "re_1": ("refund.updated", {"amount": 900, "status": "succeeded", "instructions_email": PAYER["email"]}),
    "dp_1": ("charge.dispute.closed", {"amount": 4000, "evidence": {"customer_name": "Ada Byron"}}),
}


async def tell(shop: Shop, name: str) -> None:
    kind, about = TOLD[name]
    told = event(name, kind, data={"object": {"id": name, **about}})
    row = StripeEvent(id=told["id"], type=kind, object_id=name, is_live=False, payload=told)
    async with shop.database.transaction() as session:
        session.add(row)


async def everything(shop: Shop) -> str:
    async with shop.database.transaction() as session:
        tables = metadata.tables
        return str([(await session.scalars(text(f"select t::text from {one} t"))).all() for one in tables])


async def test_whoever_leaves_is_in_no_event_about_their_payments_and_the_amounts_are(shop: Shop) -> None:
    checkout = await shop.expect()
    for name in TOLD:
        await tell(shop, name)
    async with shop.database.transaction() as session:
        paid = {"state": "paid", "payment_state": "dispute_won", "session_id": "cs_1", "charge_id": "ch_1"}
        paid |= {"receipt_url": "https://pay.stripe.com/receipts/ada"}
        await session.execute(update(Checkout).values(paid))
        about = {"checkout_id": checkout.id, "amount_cents": 900, "currency": "usd"}
        session.add(Refund(stripe_id="re_1", kind="goodwill", state="succeeded", **about))
        session.add(Dispute(stripe_id="dp_1", status="won", closed_at=now(), **about))

    async with shop.database.transaction() as session:
        await leave(session, await session.get_one(Person, shop.person_id), now())
    left = await everything(shop)
    for word in ("ada@example.com", "Ada Byron", "St James", "pay.stripe.com"):
        assert word not in left
    assert {one.object_id: one.payload for one in await shop.events()} == {
        "cs_1": {"id": "cs_1", "amount_total": 4900},
        "ch_1": {"id": "ch_1", "amount": 4900},
        "re_1": {"id": "re_1", "amount": 900, "status": "succeeded"},
        "dp_1": {"id": "dp_1", "amount": 4000},
    }

    # What Stripe tells of them later is forgotten a month after, as it is of everybody.
    await tell(shop, "dp_1")
    later = now() + KEPT
    for at, forgotten, is_left in (
        (later - timedelta(hours=1), 0, True),
        (later, 1, False),
        (later, 0, False),
    ):
        async with shop.database.transaction() as session:
            assert await forget_old_payers(session, at) == forgotten
        assert ("Ada Byron" in await everything(shop)) is is_left
