"""The review deadline: reminders on their days for everybody, then the version is handed in, or the money goes back."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database
from models.orders.deadlines import tend_reviews
from models.orders.reviewing import send_back, submit
from models.orders.states import FailReason, OrderStatus
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import Shop, letters_of, make_draft, make_paid, make_shop, refunds_of, the_order
from tests.orders.desk import open_desk
from web.orders.timeline import MOVES

DAY = timedelta(days=1)


@pytest.fixture
async def shop(world: World, database: Database) -> Shop:
    """A shop whose only order waits for its customer."""
    shop = await make_shop(database)
    await run_everything(world)
    return shop


def refunding(world: World) -> World:
    orders = world.settings.orders.model_copy(update={"undecided": "refund"})
    settings = world.settings.model_copy(update={"orders": orders})
    return World(settings, world.database, world.redis, world.keys, world.post)


async def tended(world: World, after: timedelta, limit: int = 200) -> int:
    async with world.database.transaction() as session:
        return await tend_reviews(session, world.settings, now() + after, limit)


async def reminders(database: Database) -> int:
    return [kind for kind, _ in await letters_of(database)].count("review_reminder")


async def test_a_customer_is_reminded_on_the_third_seventh_and_twelfth_day(
    world: World, database: Database, shop: Shop
):
    told = []
    for day in range(1, 14):
        await tended(world, day * DAY)
        await tended(world, day * DAY + timedelta(hours=1))
        told.append(await reminders(database))
    assert told == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]


async def test_a_customer_who_gets_a_version_back_is_reminded_anew(
    world: World, database: Database, shop: Shop
):
    await tended(world, 7 * DAY)
    order = await the_order(database, shop.draft.id)
    assert order.version_id is not None
    async with database.transaction() as session:
        await submit(session, world.settings, order.id, order.version_id, shop.people.owner)
        await send_back(session, world.settings, order.id, shop.people.editor, "Choose another one.")
    await tended(world, 3 * DAY)
    await tended(world, 7 * DAY)
    assert await reminders(database) == 3


async def test_a_crowd_that_was_reminded_does_not_keep_others_from_being_reminded(
    world: World, database: Database, shop: Shop
):
    async with database.transaction() as session:
        for number in range(4):
            draft = await make_draft(
                session,
                shop.article,
                shop.people.owner,
                f"https://n{number}.example.org/",
                f"filter {number}",
            )
            await make_paid(session, draft)
    await run_everything(world)
    for _ in range(3):
        await tended(world, 3 * DAY + timedelta(hours=1), limit=2)
    assert await reminders(database) == 5


async def test_on_the_fourteenth_day_the_version_is_handed_in(world: World, database: Database, shop: Shop):
    assert await tended(world, 14 * DAY - timedelta(minutes=5)) == 0
    assert await tended(world, 14 * DAY + timedelta(minutes=1)) == 1
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.submitted_version_id) == (OrderStatus.ADMIN_REVIEW, order.version_id)


async def test_a_shop_may_give_the_money_back_instead(world: World, database: Database, shop: Shop):
    assert await tended(refunding(world), 14 * DAY + timedelta(minutes=1)) == 1
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason) == (OrderStatus.FAILED, FailReason.UNDECIDED)
    assert [one.kind for one in await refunds_of(database)] == ["undecided"]
    assert ("order_failed", shop.people.owner.email) in await letters_of(database)
    assert await tended(refunding(world), 15 * DAY) == 0


async def test_a_disputed_order_rests_until_its_dispute_is_won(world: World, database: Database, shop: Shop):
    for state, moved in (("disputed", 0), ("dispute_won", 1)):
        async with database.transaction() as session:
            await session.execute(text("update orders set payment_state = :state"), {"state": state})
        assert await tended(world, 15 * DAY) == moved


async def test_while_an_order_rests_its_page_asks_for_no_decision(world: World):
    async with open_desk(world) as desk:
        order = await desk.written()
        async with desk.database.transaction() as session:
            await session.execute(text("update payments_checkouts set payment_state = 'disputed'"))
            await session.execute(text("update orders set payment_state = 'disputed'"))
        browser = await desk.browser(desk.shop.people.owner)
        page, mine = await browser.open(f"/orders/{order.id}"), await browser.open("/orders")
    assert "This order rests" in page.text
    assert "Your text is ready" in page.text
    assert "Please look at it by" not in page.text
    assert "is submitted by itself" not in page.text
    assert "it rests until its payment is settled" in mine.text


async def test_what_becomes_of_the_undecided_is_said_before_paying(world: World):
    async with open_desk(refunding(world)) as desk:
        page = await desk.site.browser().open("/catalogue/second-pour/grinding")
    assert "then the order is cancelled and your money goes back" in page.text


async def test_the_timeline_says_that_the_editor_has_shown_the_text(world: World):
    async with open_desk(world) as desk:
        order = await desk.held()
        async with desk.database.transaction() as session:
            await send_back(session, world.settings, order.id, desk.admin, "Good as it is.")
        page = await (await desk.browser(desk.shop.people.owner)).open(f"/orders/{order.id}")
    assert "The editor has looked; your text is ready" in page.text
    assert page.text.count("Good as it is.") == 2


def test_every_way_to_fail_has_its_words():
    assert {one.value for one in FailReason} <= set(MOVES)
