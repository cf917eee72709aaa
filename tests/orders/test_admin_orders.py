"""The editors' list of orders and the page of one: what can be found, and what it tells."""

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.paging import PAGE_SIZE
from models.orders.desk.attention import DELAYED, attention
from models.orders.desk.queries import Filter, found_orders
from models.orders.reviewing import reject
from models.orders.states import OrderStatus
from models.payments.states import PaymentState
from tasks.testing import run_everything
from tests.orders.builders import versions_of
from tests.orders.desk import Desk, open_desk
from tests.orders.selling import counting


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


async def numbers(desk: Desk, query: str = "", **filters: object) -> list[int]:
    async with desk.database.transaction() as session:
        page = await found_orders(session, Filter(query=query, **filters))  # type: ignore[arg-type]
        return sorted(one.number for one in page.items)


async def test_orders_are_found_by_number_address_domain_and_title(desk: Desk):
    await desk.written()
    await desk.another_order("https://www.other.example.net/page?x=1")
    for query, found in {
        "": [1001, 1002],
        "1002": [1002],
        "g-1001": [1001],
        "1003": [],
        "Owner@Example.com": [1001, 1002],
        "owner@example": [],
        "roastery.example.org": [1001],
        "example.org": [1001],
        "other.example.net": [1002],
        "example.net": [1002],
        "ample.net": [1002],
        "example.com": [],
        "grinder": [1001, 1002],
        "what grind": [1001, 1002],
        "teapot": [],
        "%": [],
        "'; drop table orders": [],
        "_": [],
        "9" * 15: [],
    }.items():
        assert await numbers(desk, query) == found, query


async def test_orders_are_filtered_by_status_money_and_site(desk: Desk):
    first = await desk.written()
    await desk.another_order()
    async with desk.database.transaction() as session:
        await reject(session, desk.world.settings, first.id, desk.shop.people.editor, "No.")
    await change(desk, "update orders set payment_state = 'refund_pending' where number = 1001")
    assert await numbers(desk, status=OrderStatus.FAILED) == [1001]
    assert await numbers(desk, payment_state=PaymentState.REFUND_PENDING) == [1001]
    assert await numbers(desk, status=OrderStatus.QUALITY_CHECK) == [1002]
    assert await numbers(desk, site="second-pour") == [1001, 1002]
    assert await numbers(desk, site="elsewhere") == []
    assert await numbers(desk, "1002", status=OrderStatus.FAILED) == []


async def test_a_domain_is_looked_up_in_its_index(desk: Desk):
    await desk.fill_queue(60)
    async with counting(desk.database) as sent:
        assert await numbers(desk, "shop7.example.org") == [1008]
    [asked] = [one for one in sent if "split_part" in one]
    condition = asked[asked.index("reverse(") : asked.index(" LIKE ")]
    async with desk.database.transaction() as session:
        await session.execute(text("set local enable_seqscan = off"))
        plan = await session.execute(
            text(f"explain select id from orders where {condition} like 'gro.elpmaxe.7pohs%'")
        )
        assert "orders_target_host" in "\n".join(row[0] for row in plan)


async def change(desk: Desk, statement: str) -> None:
    async with desk.database.transaction() as session:
        await session.execute(text(statement))


async def test_the_list_goes_on_page_by_page_and_keeps_its_filters(desk: Desk):
    await desk.fill_queue(PAGE_SIZE + 10)
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin/orders?status=ADMIN_REVIEW&q=grinder")
        assert screen.text.count("anchor") == 0
        onward = screen.link("More orders")
        assert "status=ADMIN_REVIEW" in onward
        assert "q=grinder" in onward
        screen = await ed.open(onward)
        assert "More orders" not in screen.links
        assert "status=ADMIN_REVIEW" in screen.link("Back to the beginning")
        assert screen.link("Remove filter “grinder”") == "/admin/orders?status=ADMIN_REVIEW"
        assert "No order is like that" in (await ed.open("/admin/orders?q=teapot")).text


async def test_the_page_of_an_order_tells_everything_about_it(desk: Desk):
    order = await desk.submitted()
    await change(
        desk,
        "insert into job_logs (job_id, attempt, at, line)"
        " select id, 1, now(), 'A line of the runner.' from jobs where kind = 'orders.integrate_backlink'",
    )
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open(f"/admin/orders/{order.id}")
    for words in (
        "Order G-1001",
        "owner@example.com",
        f"cs_test_{order.checkout_id.hex}",
        f"pi_{order.checkout_id.hex}",
        "orders.integrate_backlink",
        "A line of the runner.",
        "orders.request_received",
        "owner@example.com (customer)",
        "All 23 checks passed",
        "Version 1 against the text that it was made from",
        "no. 2 of the article",
    ):
        assert words in screen.text, words


async def test_after_a_rejection_the_page_shows_refund_letters_and_audit(desk: Desk):
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await reject(session, desk.world.settings, order.id, desk.shop.people.editor, "Not in this magazine.")
    async with await desk.browser(desk.admin) as ad:
        screen = await ad.open(f"/admin/orders/{order.id}")
    for words in ("Not in this magazine.", "Asked for", "orders.order_failed", "order.rejected", "rejected"):
        assert words in screen.text, words


async def test_another_version_of_the_order_can_be_looked_at(desk: Desk):
    order = await desk.submitted()
    [version] = await versions_of(desk.database, order.id)
    async with await desk.browser(desk.shop.people.editor) as ed:
        for wanted in (str(version.id), "nonsense", str(desk.shop.article.published_version_id)):
            screen = await ed.open(f"/admin/orders/{order.id}?version={wanted}")
            assert screen.status == 200
            assert "Version 1 against" in screen.text


async def test_the_page_of_an_order_asks_a_fixed_number_of_times_however_much_has_happened(desk: Desk):
    order = await desk.submitted()
    async with await desk.browser(desk.shop.people.editor) as ed:
        await ed.open(f"/admin/orders/{order.id}")
        async with counting(desk.database) as few:
            await ed.open(f"/admin/orders/{order.id}")
        await change(
            desk,
            "insert into orders_transitions (order_id, to_status, action, actor, actor_id)"
            " select o.id, 'ADMIN_REVIEW', 'sent back', 'editor', o.person_id from orders o, generate_series(1, 50)",
        )
        await change(
            desk,
            "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, subject, state, finished_at)"
            " select gen_random_uuid(), 'orders.tend_reviews', 'default', '{}', 5, now(), now(), 3, 'order/' || id,"
            " 'completed', now() from orders, generate_series(1, 30)",
        )
        async with counting(desk.database) as many:
            await ed.open(f"/admin/orders/{order.id}")
    assert len(many) == len(few)


async def test_a_letter_that_nobody_takes_is_shown_before_it_is_given_up(desk: Desk):
    await desk.written()
    await change(desk, "update email_messages set state = 'queued' where kind = 'orders.backlink_ready'")
    async with desk.database.transaction() as session:
        assert (await attention(session, now())).letters == []
        [letter] = (await attention(session, now() + DELAYED)).letters
    assert letter.kind == "orders.backlink_ready"


async def test_the_first_page_shows_what_went_wrong_with_money_and_letters(desk: Desk):
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await reject(session, desk.world.settings, order.id, desk.shop.people.editor, "No.")
    await run_everything(desk.world)
    await change(desk, "update payments_refunds set state = 'failed', problem = 'insufficient funds'")
    await change(
        desk,
        "insert into payments_disputes (id, checkout_id, stripe_id, status, reason, amount_cents, currency)"
        " select gen_random_uuid(), id, 'dp_1', 'needs_response', 'fraudulent', 4900, 'usd' from payments_checkouts",
    )
    await change(
        desk,
        "insert into payments_stripe_events (id, type, is_live, payload, state, problem)"
        " values ('evt_1', 'charge.updated', false, '{}', 'stranded', 'nobody knows this payment')",
    )
    await change(
        desk,
        "update email_messages set state = 'bounced', error = 'no such mailbox' where kind = 'orders.order_failed'",
    )
    await change(
        desk,
        "update jobs set state = 'dead', error = 'boom', finished_at = now() where kind = 'payments.give_refund'",
    )
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin")
    for words in (
        "insufficient funds",
        "dp_1",
        "fraudulent",
        "evt_1",
        "no such mailbox",
        "rejected by an editor",
    ):
        assert words in screen.text, words
    assert "Dead jobs 1" in screen.text
    assert screen.link("Dead jobs") == "/admin/queues/errors"
