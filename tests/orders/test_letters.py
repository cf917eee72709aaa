"""Each step of an order writes exactly the letters that it should, told what the emails room wants to be told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from emails import write_letter
from models.base.clock import now
from models.base.db import Database
from models.mail.tables import EmailMessage
from models.orders.deadlines import tend_reviews
from models.orders.payments import follow_payment
from models.orders.reviewing import (
    approve,
    cancel,
    refund,
    regenerate,
    reject,
    send_back,
    submit,
)
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article
from models.orders.writing.briefs import Draught
from models.orders.writing.making import create_order, fail_generation, hand_in, take_up
from models.payments.states import PaymentState
from models.payments.tables import Checkout, Dispute
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import Shop, make_paid, make_shop, the_order

OWNER, EDITOR = "owner@example.com", "editor@example.com"


@pytest.fixture
async def shop(database: Database) -> Shop:
    return await make_shop(database)


class Letterbox:
    """What was written since one last looked. Every letter is rendered, so that its facts are known to fit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: set[Any] = set()

    async def new(self) -> list[tuple[str, str]]:
        async with self.database.transaction() as session:
            letters: Sequence[EmailMessage] = (
                await session.scalars(select(EmailMessage).order_by(EmailMessage.id))
            ).all()
        fresh = [one for one in letters if one.id not in self.seen]
        self.seen |= {one.id for one in fresh}
        for one in fresh:
            letter = write_letter(one.kind, one.to_address, one.facts, is_test=one.is_test)
            assert "G-1001" in letter.subject + letter.text
            assert one.is_test
            assert one.about is not None
        return [(one.kind.removeprefix("orders."), one.to_address) for one in fresh]


@pytest.fixture
def box(database: Database) -> Letterbox:
    return Letterbox(database)


async def written(world: World, shop: Shop, box: Letterbox) -> Any:
    await run_everything(world)
    await box.new()
    return await the_order(world.database, shop.draft.id)


async def submitted(world: World, shop: Shop, box: Letterbox) -> Any:
    order = await written(world, shop, box)
    async with world.database.transaction() as session:
        await submit(session, world.settings, order.id, order.version_id, shop.people.owner)
    await box.new()
    return await the_order(world.database, shop.draft.id)


async def test_a_payment_brings_one_letter_that_the_order_has_begun(world: World, shop: Shop, box: Letterbox):
    for _ in range(2):
        async with world.database.transaction() as session:
            await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert await box.new() == [("request_received", OWNER)]


async def test_a_first_text_and_another_one_bring_a_letter_each(world: World, shop: Shop, box: Letterbox):
    await run_everything(world)
    assert await box.new() == [("request_received", OWNER), ("backlink_ready", OWNER)]
    async with world.database.transaction() as session:
        facts = list(await session.scalars(select(EmailMessage.facts)))
    assert {one["invoice_url"].partition("/invoices")[2] for one in facts} == {f"?payment={shop.checkout.id}"}
    order = await the_order(world.database, shop.draft.id)
    async with world.database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    await run_everything(world)
    assert await box.new() == [("regeneration_ready", OWNER)]


async def test_handing_in_tells_the_customer_and_the_editors(world: World, shop: Shop, box: Letterbox):
    order = await written(world, shop, box)
    async with world.database.transaction() as session:
        await submit(session, world.settings, order.id, order.version_id, shop.people.owner)
    assert await box.new() == [("submitted_for_review", OWNER), ("admin_new_review", EDITOR)]


async def test_approving_tells_the_customer_once(world: World, shop: Shop, box: Letterbox):
    order = await submitted(world, shop, box)
    async with world.database.transaction() as session:
        await approve(session, world.settings, order.id, shop.people.editor)
    assert await box.new() == [("published", OWNER)]


async def test_each_sending_back_tells_the_customer(world: World, shop: Shop, box: Letterbox):
    order = await submitted(world, shop, box)
    async with world.database.transaction() as session:
        await send_back(session, world.settings, order.id, shop.people.editor, "Too far up.")
    assert await box.new() == [("sent_back", OWNER)]


async def test_a_held_version_is_told_to_the_editors_alone_until_one_of_them_shows_it(
    world: World, shop: Shop, box: Letterbox
):
    async with world.database.transaction() as session:
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert order is not None
    await box.new()
    async with world.database.transaction() as session:
        brief = await take_up(session, order.id, 1)
    draught = Draught(brief.markdown + "\n", {"writer": "basic"}, {"passed": True, "checks": []}, 1, True)
    async with world.database.transaction() as session:
        await hand_in(session, world.settings, brief, draught)
    assert await box.new() == [("admin_new_review", EDITOR)]
    async with world.database.transaction() as session:
        await send_back(session, world.settings, order.id, shop.people.editor, "")
    assert await box.new() == [("backlink_ready", OWNER)]


async def test_a_rejection_tells_the_customer_and_not_the_editors_who_made_it(
    world: World, shop: Shop, box: Letterbox
):
    order = await submitted(world, shop, box)
    async with world.database.transaction() as session:
        await reject(session, world.settings, order.id, shop.people.editor, "Not in this magazine.")
    assert await box.new() == [("order_failed", OWNER)]


async def test_a_letter_that_was_not_sent_when_the_order_failed_is_not_sent_any_more(
    world: World, shop: Shop, box: Letterbox
):
    async with world.database.transaction() as session:
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
        assert order is not None
        brief = await take_up(session, order.id, 1)
        draught = Draught(
            brief.markdown + "\n", {"writer": "basic"}, {"passed": True, "checks": []}, 1, False
        )
        await hand_in(session, world.settings, brief, draught)
        await reject(session, world.settings, order.id, shop.people.editor, "Not in this magazine.")
    states = select(EmailMessage.kind, EmailMessage.state).where(EmailMessage.to_address == OWNER)
    async with world.database.transaction() as session:
        told = {kind: state.value for kind, state in await session.execute(states)}
    assert told["orders.backlink_ready"] == "obsolete"
    assert told["orders.order_failed"] == "queued"


async def test_a_generation_that_died_tells_the_customer_and_the_editors(
    world: World, shop: Shop, box: Letterbox
):
    async with world.database.transaction() as session:
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert order is not None
    await box.new()
    for _ in range(2):
        async with world.database.transaction() as session:
            await fail_generation(session, world.settings, order.id, 1, "Every attempt failed.")
    assert await box.new() == [("order_failed", OWNER), ("admin_order_failed", EDITOR)]


async def test_a_cancelled_order_tells_its_customer_alone(world: World, shop: Shop, box: Letterbox):
    async with world.database.transaction() as session:
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert order is not None
    await box.new()
    async with world.database.transaction() as session:
        await cancel(session, world.settings, order.id, shop.people.owner)
    assert await box.new() == [("cancelled", OWNER)]


async def test_an_article_that_is_gone_tells_of_the_failure_and_not_of_a_beginning(
    world: World, shop: Shop, box: Letterbox
):
    async with world.database.transaction() as session:
        (await session.get_one(Article, shop.article.id)).status = ArticleStatus.UNPUBLISHED
    async with world.database.transaction() as session:
        await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert await box.new() == [("order_failed", OWNER), ("admin_order_failed", EDITOR)]


async def test_a_second_payment_tells_that_it_goes_back(world: World, shop: Shop, box: Letterbox):
    await written(world, shop, box)
    async with world.database.transaction() as session:
        second = await make_paid(session, shop.draft, attempt=2)
    for _ in range(2):
        async with world.database.transaction() as session:
            await create_order(session, world.settings, shop.draft.id, second.id)
    assert await box.new() == [("payment_duplicate_refunded", OWNER)]


async def test_money_that_has_gone_back_is_told_once(world: World, shop: Shop, box: Letterbox):
    order = await submitted(world, shop, box)
    async with world.database.transaction() as session:
        await approve(session, world.settings, order.id, shop.people.editor)
    await box.new()
    async with world.database.transaction() as session:
        await refund(session, order.id, shop.people.editor, "Goodwill.")
    assert await box.new() == []
    async with world.database.transaction() as session:
        checkout = await session.get_one(Checkout, shop.checkout.id)
        checkout.payment_state, checkout.refunded_cents = PaymentState.REFUNDED, 4900
    for _ in range(2):
        async with world.database.transaction() as session:
            await follow_payment(session, world.settings, shop.checkout.id)
    assert await box.new() == [("refunded", OWNER)]


async def test_a_dispute_is_told_to_admins_and_not_to_the_customer(world: World, shop: Shop, box: Letterbox):
    await written(world, shop, box)
    async with world.database.transaction() as session:
        await session.execute(
            text("update accounts_people set role = 'admin' where email = :e"), {"e": EDITOR}
        )
        (await session.get_one(Checkout, shop.checkout.id)).payment_state = PaymentState.DISPUTED
        session.add(
            Dispute(
                checkout_id=shop.checkout.id,
                stripe_id="dp_1",
                status="needs_response",
                reason="fraudulent",
                amount_cents=4900,
                currency="usd",
            )
        )
    for _ in range(2):
        async with world.database.transaction() as session:
            await follow_payment(session, world.settings, shop.checkout.id)
    assert await box.new() == [("admin_dispute", EDITOR)]


async def test_reminders_come_on_their_days_and_then_the_version_is_submitted(
    world: World, shop: Shop, box: Letterbox
):
    await written(world, shop, box)
    told = []
    for day in range(15):
        for _ in range(2):
            async with world.database.transaction() as session:
                await tend_reviews(session, world.settings, now() + timedelta(days=day, minutes=1))
        told += [(day, kind) for kind, _ in await box.new()]
    assert told == [
        (3, "review_reminder"),
        (7, "review_reminder"),
        (12, "review_reminder"),
        (14, "submitted_for_review"),
        (14, "admin_new_review"),
    ]
    assert (await the_order(world.database, shop.draft.id)).status is OrderStatus.ADMIN_REVIEW
