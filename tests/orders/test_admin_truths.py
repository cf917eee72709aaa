"""The truths find nothing after an honest story, and each finds the row that was broken for it."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database
from models.jobs import enqueue
from models.orders.jobs import CheckTruths
from models.orders.reviewing import approve
from models.orders.truths import TRUTHS, UNDELIVERED, keep_verdicts, last_verdicts, verdicts
from tasks.testing import run_everything
from tests.orders.builders import make_shop, the_order
from tests.orders.desk import Desk, open_desk

PAID = "paid, but neither delivered, in progress, waiting for a named person, nor on its way back"
IDLE = "in progress, but nobody is asked to write"
TWO = "more than one generation of an order is active"
UNREFUNDED = "failed, but the money has not gone back and is not disputed"
UNWATCHED = "published for two days, and nobody has looked at its page since"
UNTOLD = "later than promised, and its customer was not told"
APART = "an order and its payment tell different things of the money"


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


async def broken(database: Database) -> set[str]:
    async with database.transaction() as session:
        return {one.truth for one in await verdicts(session) if not one.is_kept}


async def change(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


async def published(desk: Desk) -> None:
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    await change(desk.database, "update payments_checkouts set paid_at = now() - interval '1 hour'")


async def test_every_truth_holds_at_each_stage_of_an_honest_story(desk: Desk):
    stages: list[Sequence[str]] = [sorted(await broken(desk.database))]
    await run_everything(desk.world)
    stages.append(sorted(await broken(desk.database)))
    await published(desk)
    stages.append(sorted(await broken(desk.database)))
    # The shop's builder asks for the order's job under no name, which one of the payments' truths looks for.
    assert [[truth for truth in stage if truth in TRUTHS] for stage in stages] == [[], [], []]


async def test_a_payment_without_an_order_and_without_a_job_is_found(database: Database):
    await make_shop(database)
    assert PAID not in await broken(database)
    await change(
        database, "delete from jobs", "update payments_checkouts set paid_at = now() - interval '3 minutes'"
    )
    assert PAID in await broken(database)


@pytest.mark.parametrize(
    ("why", "statement"),
    [
        ("nobody writes", "update orders set status = 'PROCESSING'"),
        ("its customer has no deadline", "update orders set status = 'QUALITY_CHECK', review_due_at = null"),
        (
            "the deadline has passed and nothing was submitted",
            "update orders set status = 'QUALITY_CHECK', review_due_at = now() - interval '2 hours'",
        ),
        ("nothing was submitted", "update orders set status = 'ADMIN_REVIEW', submitted_version_id = null"),
        ("it failed and kept the money", "update orders set status = 'FAILED'"),
    ],
)
async def test_a_payment_that_nobody_owes_an_answer_is_found(desk: Desk, why: str, statement: str):
    await published(desk)
    await change(desk.database, statement)
    assert PAID in await broken(desk.database), why


async def test_an_order_that_waits_for_an_editor_where_there_is_none_is_found(desk: Desk):
    await desk.submitted()
    await change(desk.database, "update payments_checkouts set paid_at = now() - interval '1 hour'")
    assert PAID not in await broken(desk.database)
    await change(desk.database, "update accounts_people set disabled_at = now() where role <> 'customer'")
    assert PAID in await broken(desk.database)


@pytest.mark.parametrize("state", ["completed", "dead", "cancelled"])
async def test_an_order_in_progress_whose_job_has_ended_is_found(desk: Desk, state: str):
    await desk.written()
    await change(
        desk.database,
        "update orders set status = 'PROCESSING'",
        "update orders_generations set state = 'active'",
        f"update jobs set state = '{state}'",
    )
    assert IDLE in await broken(desk.database)
    await change(desk.database, "update jobs set state = 'waiting', finished_at = null")
    assert IDLE not in await broken(desk.database)


async def test_an_order_that_is_late_and_of_which_nobody_was_told_is_found(desk: Desk):
    await desk.held()
    await change(desk.database, "update orders set promised_at = now() - interval '11 minutes'")
    assert UNTOLD in await broken(desk.database)
    await change(desk.database, "update orders set promise_broken_at = now()")
    assert UNTOLD not in await broken(desk.database)


async def test_a_published_order_whose_link_is_gone_is_found(desk: Desk):
    await published(desk)
    assert UNDELIVERED not in await broken(desk.database)
    await change(
        desk.database,
        "update orders_articles set published_version_id ="
        " (select id from orders_versions where order_id is null limit 1)",
    )
    assert UNDELIVERED in await broken(desk.database)


async def test_a_later_text_that_keeps_the_link_keeps_the_truth(desk: Desk):
    await published(desk)
    await change(
        desk.database,
        "insert into orders_versions (id, article_id, number, markdown, origin)"
        " select gen_random_uuid(), article_id, 99, markdown || 'More.', 'edit' from orders_versions where order_id is not null",
        "update orders_articles set published_version_id = (select id from orders_versions where number = 99)",
    )
    assert UNDELIVERED not in await broken(desk.database)


async def test_a_link_that_is_written_in_punycode_is_not_taken_for_gone(desk: Desk):
    await published(desk)
    await change(
        desk.database,
        "insert into orders_versions (id, article_id, number, markdown, origin)"
        " select gen_random_uuid(), article_id, 99, 'A [page](https://xn--bcher-kva.example/a%20b).', 'edit'"
        " from orders_versions where order_id is not null",
        "update orders_articles set published_version_id = (select id from orders_versions where number = 99)",
        "update orders set target_url = 'https://bücher.example/a b'",
    )
    assert UNDELIVERED not in await broken(desk.database)


async def test_a_published_order_in_an_article_that_was_taken_offline_is_found(desk: Desk):
    await published(desk)
    await change(desk.database, "update orders_articles set status = 'unpublished'")
    assert UNDELIVERED in await broken(desk.database)


async def test_two_active_generations_are_found(desk: Desk):
    await desk.written()
    await change(
        desk.database,
        "drop index orders_generations_active",
        "insert into orders_generations (id, order_id, number, state, cause)"
        " select gen_random_uuid(), order_id, number + n, 'active', 'first'"
        " from orders_generations, generate_series(1, 2) n",
    )
    assert TWO in await broken(desk.database)


async def test_a_failed_order_that_kept_the_money_is_found_and_a_disputed_one_is_not(desk: Desk):
    await desk.written()
    await change(desk.database, "update orders set status = 'FAILED'")
    assert UNREFUNDED in await broken(desk.database)
    for state in ("refund_pending", "refunded", "disputed", "dispute_lost"):
        await change(desk.database, f"update payments_checkouts set payment_state = '{state}'")
        assert UNREFUNDED not in await broken(desk.database), state
    await change(desk.database, "update payments_checkouts set payment_state = 'dispute_won'")
    assert UNREFUNDED in await broken(desk.database)


async def test_an_order_that_did_not_hear_of_its_refund_is_found(desk: Desk):
    await desk.written()
    await change(desk.database, "update payments_checkouts set payment_state = 'refunded'")
    assert APART in await broken(desk.database)


async def test_the_first_page_counts_what_was_broken_when_last_asked_and_leads_to_the_order(desk: Desk):
    order = await desk.written()
    async with await desk.browser(desk.shop.people.editor) as ed:
        never = await ed.open("/admin")
        assert "were asked" not in never.text
        assert "truths hold" not in never.text
        # A finding of the payments leads to the order behind the checkout too.
        await change(
            desk.database,
            "update orders set status = 'FAILED'",
            "update payments_checkouts set state = 'mismatch', paid_at = now() - interval '2 hours'",
        )
        await ed.submit(
            next(form for form in (await ed.open("/admin")).forms if form.action.endswith("/truths"))
        )
        async with desk.database.transaction() as session:
            assert await session.scalar(
                text("select count(*) from accounts_audit_entries where action = 'schedule.run'")
            )
        await run_everything(desk.world)
        screen = await ed.open("/admin")
        assert screen.link("G-1001") == f"/admin/orders/{order.id}"
        assert "the money has not gone back and is not disputed: 1 time" in screen.text
        assert "Something else was paid than was owed" in screen.text


async def test_the_last_answer_is_kept_whole(desk: Desk):
    async with desk.database.transaction() as session:
        assert await last_verdicts(session) == (None, [])
    await desk.written()
    await change(desk.database, "update orders set status = 'FAILED'")
    async with desk.database.transaction() as session:
        said = await verdicts(session)
        await keep_verdicts(session, said, at := now())
        assert await last_verdicts(session) == (at, said)
        assert not said[0].is_kept
    await change(desk.database, "update orders set status = 'QUALITY_CHECK'")
    async with desk.database.transaction() as session:
        await keep_verdicts(session, await verdicts(session), now())
        assert all(one.is_kept for one in (await last_verdicts(session))[1] if one.truth in TRUTHS)


async def test_every_truth_of_orders_is_asked(database: Database):
    async with database.transaction() as session:
        asked = [one.truth for one in await verdicts(session)]
    assert set(TRUTHS) <= set(asked)
    assert {PAID, IDLE, TWO, UNREFUNDED, APART, UNDELIVERED, UNWATCHED, UNTOLD} == set(TRUTHS)


async def test_the_admins_are_told_once_a_day_of_what_does_not_hold(desk: Desk):
    await run_everything(desk.world)
    order = await the_order(desk.database, desk.shop.draft.id)
    await change(desk.database, f"update orders set status = 'PROCESSING' where id = '{order.id}'")
    for _ in range(2):
        async with desk.database.transaction() as session:
            await enqueue(session, CheckTruths())
        await run_everything(desk.world)
    async with desk.database.transaction() as session:
        letters = await session.execute(
            text("select to_address from email_messages where kind = 'orders.admin_alert' and key like :key"),
            {"key": f"%{IDLE}%"},
        )
        assert letters.scalars().all() == ["admin@example.com"]
