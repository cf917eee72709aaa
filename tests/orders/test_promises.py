"""The promise clock: who is late goes first, is told of once, and the page says what the queue really does."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import enqueue
from models.jobs.actions import hurry
from models.jobs.estimates import Pace, expected, pace, slots
from models.jobs.tables import JobRow
from models.orders.desk.attention import attention
from models.orders.jobs import IntegrateBacklink, TendReviews
from models.orders.queries import order_view, versions_of
from models.orders.reviewing import regenerate, send_back
from models.orders.states import OrderStatus
from models.orders.tables import Order
from models.orders.writing.making import create_order
from models.orders.writing.promises import mind_promises
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import Shop, history_of, letters_of, make_shop, the_order
from tests.orders.desk import open_desk

TOLD = [
    ("promise_late", "owner@example.com"),
]


@pytest.fixture
async def shop(world: World, database: Database) -> Shop:
    """A shop whose order waits for a writer and is a minute late."""
    shop = await make_shop(database)
    async with database.transaction() as session:
        await session.execute(text("delete from jobs"))
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
        assert order is not None
    await make_late(database)
    return shop


async def make_late(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("update orders set promised_at = now() - interval '1 minute'"))


async def minded(world: World) -> int:
    async with world.database.transaction() as session:
        return await mind_promises(session, world.settings, now())


async def the_job(database: Database) -> JobRow:
    async with database.transaction() as session:
        return (await session.scalars(select(JobRow).where(JobRow.kind == IntegrateBacklink.kind))).one()


async def test_a_late_order_goes_first_and_its_customer_gets_one_apology(
    world: World, database: Database, shop: Shop
):
    before = await the_job(database)
    assert await minded(world) == 1
    assert await minded(world) == 0
    job = await the_job(database)
    assert (before.priority, job.priority) == (IntegrateBacklink.priority, 0)
    assert job.rank_at < before.rank_at
    order = await the_order(database, shop.draft.id)
    assert order.promise_broken_at is not None
    assert [one for one in await letters_of(database) if one[0] == "promise_late"] == TOLD
    assert [action for *_, action, _ in await history_of(database, order.id)] == ["paid", "promise broken"]
    async with database.transaction() as session:
        assert [one.id for one in (await attention(session, now())).late] == [order.id]
    await run_everything(world)
    async with database.transaction() as session:
        assert (await attention(session, now())).late == []


async def test_five_clocks_at_once_find_one_breach(world: World, database: Database, shop: Shop):
    assert sum(await asyncio.gather(*(minded(world) for _ in range(5)))) == 1
    letters = [kind for kind, _ in await letters_of(database)]
    assert letters.count("promise_late") == 1


async def test_the_admins_are_alerted_once(world: World):
    async with open_desk(world) as desk:
        async with world.database.transaction() as session:
            await session.execute(text("delete from jobs"))
            await create_order(session, world.settings, desk.shop.draft.id, desk.shop.checkout.id)
        await make_late(world.database)
        await minded(world)
        await minded(world)
        alerts = [one for one in await letters_of(world.database) if one[0] == "admin_alert"]
        assert alerts == [("admin_alert", "admin@example.com")]
        browser = await desk.browser(desk.admin)
        assert "Later than promised" in (await browser.open("/admin")).text
        customer = await desk.browser(desk.shop.people.owner)
        page = await customer.open(f"/orders/{(await desk.order()).id}")
        assert "This takes longer than we promised" in page.text
        assert "Later than promised; your order goes first now" in page.text


async def test_an_order_that_is_held_for_an_editor_can_be_late_and_stays_held(world: World):
    async with open_desk(world) as desk:
        order = await desk.held()
        await make_late(world.database)
        assert await minded(world) == 1
        assert await minded(world) == 0
        late = [one for one in await letters_of(world.database) if one[0] in {"promise_late", "admin_alert"}]
        assert sorted(late) == [
            ("admin_alert", "admin@example.com"),
            ("admin_alert", "editor@example.com"),
            *TOLD,
        ]
        async with world.database.transaction() as session:
            view = await order_view(session, order.id, order.person_id)
            assert (view.is_held, view.is_late) == (True, True)
            assert await versions_of(session, view) == []
            # Nobody has seen it, so there is no reason to be given.
            await send_back(session, world.settings, order.id, desk.admin, "")
            view = await order_view(session, order.id, order.person_id)
        assert (view.is_held, view.is_late) == (False, False)


async def test_an_order_whose_money_is_disputed_is_not_late(world: World, database: Database, shop: Shop):
    async with database.transaction() as session:
        await session.execute(text("update orders set payment_state = 'disputed'"))
    assert await minded(world) == 0


async def test_every_asking_of_the_writer_has_a_promise_of_its_own(
    world: World, database: Database, shop: Shop
):
    await minded(world)
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert order.status is OrderStatus.QUALITY_CHECK
    async with database.transaction() as session:
        order = await regenerate(session, world.settings, order.id, shop.people.owner)
    assert order.promised_at > now()
    assert order.promise_broken_at is None
    assert await minded(world) == 0
    await make_late(database)
    assert await minded(world) == 1
    assert [kind for kind, _ in await letters_of(database)].count("promise_late") == 2


async def test_a_breach_that_is_found_while_the_text_is_handed_in_harms_neither(
    world: World, database: Database, shop: Shop
):
    _, found = await asyncio.gather(run_everything(world), minded(world))
    order = await the_order(database, shop.draft.id)
    assert order.status is OrderStatus.QUALITY_CHECK
    assert (order.promise_broken_at is not None) == (found == 1)


# ---------------------------------------------------------------- how long it takes
async def finished(database: Database, seconds: list[int], waits: list[int]) -> None:
    """Jobs that ran and waited for so long, all of them lately."""
    async with database.transaction() as session:
        for run, wait in zip(seconds, waits, strict=True):
            await session.execute(
                text(
                    "insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts,"
                    " attempt, started_at, finished_at) values (:id, :kind, 'orders', '{}', 'completed', 2, now(),"
                    " now() - make_interval(secs => cast(:run as int) + cast(:wait as int)), 3, 1,"
                    " now() - make_interval(secs => :run), now())"
                ),
                {"id": new_id(), "kind": IntegrateBacklink.kind, "run": run, "wait": wait},
            )


async def test_the_pace_is_that_of_the_jobs_that_were_finished_lately(database: Database):
    async with database.transaction() as session:
        assert await pace(session, IntegrateBacklink.kind, "orders") is None
    await finished(database, [10, 20, 30, 40, 50], [1, 2, 3, 4, 5])
    async with database.transaction() as session:
        await enqueue(session, TendReviews())
        lately = await pace(session, IntegrateBacklink.kind, "orders")
    assert lately is not None
    assert lately.count == 5
    assert (lately.run_usual, lately.run_slow) == (timedelta(seconds=30), timedelta(seconds=46))
    assert lately.wait_slow == timedelta(seconds=4.6)


async def test_the_slots_are_those_of_workers_that_live_and_take_work(database: Database):
    async with database.transaction() as session:
        for age, is_draining in ((0, False), (0, False), (60, False), (0, True)):
            await session.execute(
                text(
                    "insert into job_workers (id, host, pid, queues, is_draining, beat_at) values"
                    " (:id, 'host', 1, '{\"orders\": 4, \"mail\": 8}', :is_draining,"
                    " now() - make_interval(secs => :age))"
                ),
                {"id": new_id(), "is_draining": is_draining, "age": age},
            )
        assert await slots(session, "orders", timedelta(seconds=8)) == 8
        assert await slots(session, "nothing", timedelta(seconds=8)) == 0


@pytest.mark.parametrize(
    ("work", "free", "usual", "slow"), [(0, 4, 10, 20), (40, 4, 20, 40), (40, 1, 50, 100), (40, 0, 50, 100)]
)
def test_what_stands_before_an_order_is_shared_by_the_slots(work: int, free: int, usual: int, slow: int):
    second = timedelta(seconds=1)
    lately = Pace(50, run_usual=10 * second, run_slow=20 * second, wait_slow=90 * second)
    found = expected(lately, work * second, free)
    assert (found.usual, found.slow) == (usual * second, slow * second)


async def test_a_job_that_runs_or_is_done_cannot_be_hurried(database: Database):
    async with database.transaction() as session:
        job_id = await enqueue(session, TendReviews())
        assert job_id is not None
        await session.execute(text("update jobs set state = 'active'"))
        assert not await hurry(session, job_id)
        await session.execute(text("update jobs set state = 'waiting'"))
        assert await hurry(session, job_id)
        assert not await hurry(session, job_id), "it is first already"
        assert (await session.get_one(JobRow, job_id, populate_existing=True)).priority == 0


async def test_an_order_is_promised_as_soon_as_it_is_paid(world: World, database: Database):
    shop = await make_shop(database)
    async with database.transaction() as session:
        order = await create_order(session, world.settings, shop.draft.id, shop.checkout.id)
        assert order is not None
        stored = await session.get_one(Order, order.id)
    minutes = (stored.promised_at - now()) / timedelta(minutes=1)
    assert world.settings.orders.promise_minutes - 1 < minutes <= world.settings.orders.promise_minutes


async def test_an_estimate_that_has_passed_is_not_promised_again(world: World):
    async with open_desk(world) as desk:
        order = await desk.written()
        async with desk.database.transaction() as session:
            await regenerate(session, world.settings, order.id, desk.shop.people.owner)
        browser = await desk.browser(desk.shop.people.owner)
        assert "Ready in less than a minute" in (await browser.open(f"/orders/{order.id}")).text
        async with desk.database.transaction() as session:
            await session.execute(
                text("update jobs set run_at = now() - interval '2 minutes' where state = 'waiting'")
            )
        page = await browser.open(f"/orders/{order.id}")
    assert "Later than usual" in page.text
    assert "Next in line" in page.text
    assert "Ready in" not in page.text
