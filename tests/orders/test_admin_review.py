"""The review queue: in its order, in pages, and at the same price however long it is."""

import re

import pytest
from sqlalchemy import text, update

from models.base.clock import now
from models.base.paging import PAGE_SIZE
from models.orders.desk.queries import review_queue
from models.orders.tables import Order
from tests.orders.desk import Desk, open_desk
from tests.orders.selling import counting


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


@pytest.mark.slow
async def test_the_oldest_is_first_and_pages_leave_nothing_out(desk: Desk):
    ids = await desk.fill_queue(120)
    async with desk.database.transaction() as session:
        rows = await session.execute(
            text("select id from orders where status = 'ADMIN_REVIEW' order by submitted_at, id")
        )
        wanted = [row.id for row in rows]
    assert set(wanted) == set(ids)
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen, shown = await ed.open("/admin/review"), []
        assert "120 orders wait for an editor" in screen.text
        assert screen.title == "(120) Review · Galley"
        shown += _orders(screen.html)
        assert len(shown) == PAGE_SIZE
        while "More orders" in screen.links:
            screen = await ed.open(screen.link("More orders"))
            shown += _orders(screen.html)
        assert screen.link("Back to the beginning") == "/admin/review"
    assert shown == [str(one) for one in wanted]


def _orders(html: str) -> list[str]:
    return re.findall(r'href="/admin/orders/([0-9a-f-]{36})"', html)


async def test_an_order_leads_on_to_the_next_that_waits_and_from_the_last_to_what_was_left_out(desk: Desk):
    first, second, third = await desk.fill_queue(3)
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open(f"/admin/orders/{first}")
        for following in (second, third, first, second):
            screen = await ed.open(screen.link("Next order that waits (2 left)"))
            assert screen.path == f"/admin/orders/{following}"
        form = next(form for form in screen.forms if form.action.endswith("/return"))
        screen = await ed.submit(form, reason="Another section, please.")
        assert "It is with the customer now, with your words." in screen.text
        assert "With the customer" in screen.text
        assert "your review" not in screen.text
        screen = await ed.open(screen.link("Next order that waits (2 left)"))
        assert screen.path == f"/admin/orders/{first}"
        assert "Next order that waits (1 left)" in screen.text


@pytest.mark.slow
async def test_a_page_of_the_queue_asks_the_database_as_often_for_two_orders_as_for_120(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        await desk.fill_queue(2)
        async with counting(desk.database) as few:
            await ed.open("/admin/review")
        async with desk.database.transaction() as session:
            await session.execute(text("update orders set submitted_version_id = null, version_id = null"))
            await session.execute(text("delete from orders_versions where order_id is not null"))
            await session.execute(text("delete from orders"))
        await desk.fill_queue(120)
        async with counting(desk.database) as many:
            await ed.open("/admin/review")
    assert len(many) == len(few)
    assert len(many) <= 5


@pytest.mark.slow
async def test_the_queue_is_read_from_its_own_index(desk: Desk):
    await desk.fill_queue(120)
    async with desk.database.transaction() as session:
        for way in ("enable_seqscan", "enable_sort"):  # with so few rows, any other way is as quick
            await session.execute(text(f"set local {way} = off"))
        plan = await session.execute(
            text(
                "explain select id from orders where status = 'ADMIN_REVIEW'"
                " and (submitted_at, id) > (now() - interval '9 hours', gen_random_uuid())"
                " order by submitted_at, id limit 51"
            )
        )
        assert "orders_review_queue" in "\n".join(row[0] for row in plan)


async def test_a_row_tells_what_an_editor_wants_to_know_first(desk: Desk):
    [first, second] = await desk.fill_queue(2)
    await desk.move_article()
    async with desk.database.transaction() as session:
        await session.execute(
            text(
                "insert into orders_transitions (order_id, from_status, to_status, action, actor)"
                " values (:id, 'PROCESSING', 'ADMIN_REVIEW', 'held for an editor', 'writer')"
            ),
            {"id": first},
        )
        await session.execute(update(Order).where(Order.id == first).values(held_at=now()))
        page = await review_queue(session)
    found = {one.id: one for one in page.items}
    assert found[first].is_held
    assert found[first].needs_editor
    assert not found[second].is_held
    assert not found[second].needs_editor
    assert found[first].score == 0.25
    assert found[first].is_moved
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin/review")
    for words in ("Held for an editor first", "Doubtful place, 0.25", "Article has moved", "Paid", "Test"):
        assert words in screen.text


async def test_an_empty_queue_says_so(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin/review")
    assert "Nothing waits for an editor" in screen.text
