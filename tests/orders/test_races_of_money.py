"""An order and its money, when one moves before the other has heard of it."""

import asyncio

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database
from models.base.errors import Conflict
from models.orders.payments import follow_payment
from models.orders.reviewing import approve, refund, reject
from models.orders.states import FailReason, OrderStatus
from models.orders.writing import making
from models.payments.disputes import sync_dispute
from models.payments.facts import DisputeFacts, RefundFacts
from models.payments.ledger import move_refund, settle
from models.payments.moves import hold, move_payment
from models.payments.refund_sync import sync_refunds
from models.payments.states import PaymentState, RefundState
from models.payments.tables import Checkout
from tasks.world import World
from tests.orders.builders import Shop, make_paid, make_shop, published_text, the_order
from tests.orders.desk import open_desk
from tests.orders.holding import broken

S, P = OrderStatus, PaymentState
PRICE = 4900


async def dispute(database: Database, checkout: Checkout, status: str = "needs_response") -> None:
    """The bank tells of a dispute."""
    facts = DisputeFacts(
        f"dp_{checkout.id.hex}",
        checkout.payment_intent_id,
        checkout.charge_id,
        PRICE,
        "usd",
        status,
        "fraudulent",
        now(),
    )
    async with database.transaction() as session:
        await sync_dispute(session, facts)


async def return_by_hand(
    database: Database, checkout: Checkout, cents: int = PRICE, status: str = "succeeded"
) -> None:
    """Somebody refunds in Stripe's Dashboard."""
    facts = RefundFacts(
        f"re_{checkout.id.hex}",
        checkout.payment_intent_id,
        checkout.charge_id,
        cents,
        "usd",
        status,
        None,
        {},
        now(),
    )
    async with database.transaction() as session:
        await sync_refunds(session, checkout.id, [facts])


async def follow(world: World, checkout: Checkout) -> None:
    """The worker brings the order to where its money is."""
    await run_kind(world, "orders.follow_payment")
    async with world.database.transaction() as session:
        await follow_payment(session, world.settings, checkout.id)


async def run_kind(world: World, kind: str) -> None:
    """Take the jobs of this kind off the list: the test does what they ask for."""
    async with world.database.transaction() as session:
        await session.execute(
            text("update jobs set state = 'completed', finished_at = now() where kind = :kind"),
            {"kind": kind},
        )


#: What payments write on the job that they ask for: the truths look for it there.
_ADDRESS = text(
    "update jobs set subject = 'draft/' || (args ->> 'draft_id'),"
    " unique_key = 'checkout/' || (args ->> 'checkout_id') || '/paid' where kind = 'orders.create_order'"
)


async def create(world: World, shop: Shop, checkout: Checkout | None = None) -> None:
    """The worker makes the order, or gives a second payment back."""
    async with world.database.transaction() as session:
        await session.execute(_ADDRESS)
    await run_kind(world, "orders.create_order")
    async with world.database.transaction() as session:
        await making.create_order(session, world.settings, shop.draft.id, (checkout or shop.checkout).id)


async def refunds_of(database: Database, checkout: Checkout) -> list[tuple[str, int, RefundState]]:
    async with database.transaction() as session:
        rows = await session.execute(
            text("select kind, amount_cents, state from payments_refunds where checkout_id = :id"),
            {"id": checkout.id},
        )
        return [(kind, cents, RefundState(state)) for kind, cents, state in rows]


async def unfinished(database: Database, kind: str) -> int:
    async with database.transaction() as session:
        query = text("select count(*) from jobs where kind = :kind and finished_at is null")
        return int((await session.execute(query, {"kind": kind})).scalar_one())


async def test_a_dispute_that_is_older_than_the_order_freezes_it(world: World, database: Database) -> None:
    shop = await make_shop(database)
    await dispute(database, shop.checkout)
    await follow(world, shop.checkout)
    await create(world, shop)
    assert await unfinished(database, "orders.follow_payment") == 1
    await follow(world, shop.checkout)
    assert (await the_order(database, shop.draft.id)).payment_state is P.DISPUTED
    assert await broken(database) == []


async def test_money_that_went_back_before_the_order_was_made_ends_it(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await return_by_hand(database, shop.checkout)
    await follow(world, shop.checkout)
    await create(world, shop)
    await follow(world, shop.checkout)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason, order.payment_state) == (
        S.FAILED,
        FailReason.REFUNDED,
        P.REFUNDED,
    )
    assert await broken(database) == []


async def test_a_dispute_in_the_very_moment_in_which_the_order_is_made_is_followed(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await run_kind(world, "orders.create_order")
    async with database.transaction() as session:
        await making.create_order(session, world.settings, shop.draft.id, shop.checkout.id)
        disputing = asyncio.create_task(dispute(database, shop.checkout))
        # Either it waits for this transaction, or it has ended before it: nothing may fall between.
        await asyncio.wait([disputing], timeout=0.2)
        if disputing.done():
            await follow(world, shop.checkout)
    await disputing
    assert await unfinished(database, "orders.follow_payment") == 1
    await follow(world, shop.checkout)
    assert (await the_order(database, shop.draft.id)).payment_state is P.DISPUTED


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_order_that_ended_while_its_payment_was_disputed_is_refunded_when_that_is_won(
    world: World, database: Database, *, is_known: bool
) -> None:
    shop = await make_shop(database)
    await create(world, shop)
    order = await the_order(database, shop.draft.id)
    await dispute(database, shop.checkout)
    if is_known:
        await follow(world, shop.checkout)
    async with database.transaction() as session:
        await reject(session, world.settings, order.id, shop.people.editor, "Not a fit.")
    assert await refunds_of(database, shop.checkout) == []
    await dispute(database, shop.checkout, "won")
    await follow(world, shop.checkout)
    assert await refunds_of(database, shop.checkout) == [("rejected", PRICE, RefundState.ASKED)]
    await follow(world, shop.checkout)
    assert await broken(database) == []


async def test_an_order_that_ends_while_a_part_is_on_its_way_back_gives_the_rest_back(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await create(world, shop)
    order = await the_order(database, shop.draft.id)
    await return_by_hand(database, shop.checkout, 900, "pending")
    await follow(world, shop.checkout)
    async with database.transaction() as session:
        await making.fail_generation(session, world.settings, order.id, 1, "Every attempt failed.")
    assert sorted(cents for _, cents, _ in await refunds_of(database, shop.checkout)) == [900, PRICE - 900]
    assert await broken(database) == []


async def test_a_second_payment_that_was_disputed_goes_back_when_the_dispute_is_won(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await create(world, shop)
    async with database.transaction() as session:
        second = await make_paid(session, shop.draft, attempt=2)
    await dispute(database, second)
    await create(world, shop, second)
    assert await refunds_of(database, second) == []
    await dispute(database, second, "won")
    await follow(world, second)
    if await unfinished(database, "orders.create_order"):
        await create(world, shop, second)
    assert await refunds_of(database, second) == [("duplicate", PRICE, RefundState.ASKED)]
    await follow(world, second)
    assert await broken(database) == []


async def test_a_refund_that_a_dispute_has_interrupted_goes_on_when_that_is_won(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await create(world, shop)
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await reject(session, world.settings, order.id, shop.people.editor, "Not a fit.")
    await dispute(database, shop.checkout)
    await follow(world, shop.checkout)
    await dispute(database, shop.checkout, "won")
    await follow(world, shop.checkout)
    assert (await the_order(database, shop.draft.id)).payment_state is P.REFUND_PENDING
    assert await refunds_of(database, shop.checkout) == [("rejected", PRICE, RefundState.ASKED)]
    assert await broken(database) == []


async def test_an_approval_that_meets_a_dispute_waits_for_it_and_is_refused(
    world: World, database: Database
) -> None:
    async with open_desk(world) as desk:
        order = await desk.submitted()

        async def approval() -> None:
            async with database.transaction() as session:
                await approve(session, world.settings, order.id, desk.shop.people.editor)

        async with database.transaction() as session:
            await move_payment(session, order.checkout_id, P.DISPUTED)
            approving = asyncio.create_task(approval())
            await asyncio.wait([approving], timeout=0.1)
        with pytest.raises(Conflict, match="disputed"):
            await approving
        # The order itself has not heard of it yet.
        assert (await desk.order()).payment_state is P.PAID
        assert order.target_url not in await published_text(database, desk.shop.article.id)


async def test_what_comes_back_of_a_refund_by_hand_can_be_given_after_ours_has_gone(
    world: World, database: Database
) -> None:
    async with open_desk(world) as desk:
        order = await desk.submitted()
        async with database.transaction() as session:
            await approve(session, world.settings, order.id, desk.shop.people.editor)
        await return_by_hand(database, desk.shop.checkout, 900)
        async with database.transaction() as session:
            ours = await refund(session, order.id, desk.admin, "Goodwill.")
            await move_refund(session, ours, RefundState.SUCCEEDED, stripe_id="re_ours")
            await settle(session, await hold(session, order.checkout_id))
        await return_by_hand(database, desk.shop.checkout, 900, "failed")
        async with database.transaction() as session:
            rest = await refund(session, order.id, desk.admin, "The rest of it.")
        with pytest.raises(Conflict):
            async with database.transaction() as session:
                await refund(session, order.id, desk.admin, "Pressed twice.")
    assert (ours.kind, ours.amount_cents) == ("goodwill", PRICE - 900)
    assert (rest.kind, rest.amount_cents, rest.state) == ("goodwill_2", 900, RefundState.ASKED)
