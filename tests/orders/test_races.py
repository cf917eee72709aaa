"""Two things at once, on the real database: one of them happens, and never half of each."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import Database
from models.base.errors import Conflict, NotFound
from models.jobs import enqueue
from models.jobs.message import unpack
from models.orders.deadlines import tend_reviews
from models.orders.quality import check_integration
from models.orders.reviewing import approve, cancel, regenerate, reject, send_back, submit
from models.orders.states import ArticleStatus, FailReason, GenerationState, OrderStatus
from models.orders.tables import Article, Order
from models.orders.writing import making
from models.orders.writing.briefs import Draught
from models.orders.writing.making import Stale
from models.payments.states import PaymentState
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import (
    ANCHOR,
    TARGET,
    Shop,
    generations_of,
    history_of,
    letters_of,
    make_draft,
    make_paid,
    make_shop,
    published_text,
    refunds_of,
    the_order,
    versions_of,
)

S = OrderStatus
Act = Callable[[AsyncSession], Awaitable[Any]]


@pytest.fixture
async def shop(world: World, database: Database) -> Shop:
    """A shop whose only order waits for its customer."""
    shop = await make_shop(database)
    await run_everything(world)
    return shop


async def at_once(database: Database, *acts: Act) -> list[str]:
    """Do all of these at the same time, each in a transaction of its own. Returns what came of each: "ok" or the refusal."""

    async def one(act: Act) -> str:
        try:
            async with database.transaction() as session:
                await act(session)
        except (Conflict, NotFound, Stale) as refusal:
            return type(refusal).__name__
        return "ok"

    return list(await asyncio.gather(*(one(act) for act in acts)))


async def submitted(world: World, database: Database, shop: Shop) -> Order:
    order = await the_order(database, shop.draft.id)
    assert order.version_id is not None
    async with database.transaction() as session:
        return await submit(session, world.settings, order.id, order.version_id, shop.people.owner)


async def test_one_payment_told_twenty_times_makes_one_order(world: World, database: Database) -> None:
    shop = await make_shop(database)
    async with database.transaction() as session:
        for _ in range(20):
            await enqueue(session, unpack(shop.checkout.when_paid))
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert order.status is S.QUALITY_CHECK
    assert len(await generations_of(database, order.id)) == 1
    assert Counter(kind for kind, _ in await letters_of(database))["request_received"] == 1
    assert await refunds_of(database) == []


async def test_twenty_at_once_make_one_order(world: World, database: Database) -> None:
    shop = await make_shop(database)

    def create(session: AsyncSession) -> Awaitable[Any]:
        return making.create_order(session, world.settings, shop.draft.id, shop.checkout.id)

    assert await at_once(database, *[create] * 20) == ["ok"] * 20
    async with database.transaction() as session:
        assert (await session.execute(text("select count(*) from orders"))).scalar_one() == 1
        assert (await session.execute(text("select count(*) from orders_generations"))).scalar_one() == 1


async def test_a_second_payment_for_one_draft_is_given_back(world: World, database: Database) -> None:
    shop = await make_shop(database)
    async with database.transaction() as session:
        second = await make_paid(session, shop.draft, attempt=2)
    await run_everything(world)
    [refund] = await refunds_of(database)
    order = await the_order(database, shop.draft.id)
    assert (refund.kind, refund.amount_cents) == ("duplicate", 4900)
    assert {refund.checkout_id, order.checkout_id} == {shop.checkout.id, second.id}
    assert order.payment_state is PaymentState.PAID
    assert Counter(kind for kind, _ in await letters_of(database))["payment_duplicate_refunded"] == 1


async def test_regenerate_pressed_twenty_times_makes_one_generation(
    world: World, database: Database, shop: Shop
) -> None:
    order = await the_order(database, shop.draft.id)

    def press(session: AsyncSession) -> Awaitable[Any]:
        return regenerate(session, world.settings, order.id, shop.people.owner)

    outcomes = Counter(await at_once(database, *[press] * 20))
    assert outcomes == {"ok": 1, "Conflict": 19}
    states = [generation.state for generation in await generations_of(database, order.id)]
    assert states == [GenerationState.DONE, GenerationState.ACTIVE]


@pytest.mark.parametrize("order_of_acts", [0, 1])
async def test_submit_against_regenerate_one_of_them_wins(
    world: World, database: Database, shop: Shop, order_of_acts: int
) -> None:
    order = await the_order(database, shop.draft.id)
    version_id = order.version_id
    assert version_id is not None
    acts: Sequence[Act] = [
        lambda session: submit(session, world.settings, order.id, version_id, shop.people.owner),
        lambda session: regenerate(session, world.settings, order.id, shop.people.owner),
    ]
    outcomes = await at_once(database, *(acts if order_of_acts else reversed(acts)))
    assert sorted(outcomes) == ["Conflict", "ok"]
    order = await the_order(database, shop.draft.id)
    active = [one for one in await generations_of(database, order.id) if one.state is GenerationState.ACTIVE]
    assert (order.status, len(active)) in {(S.ADMIN_REVIEW, 0), (S.PROCESSING, 1)}


async def test_a_version_from_a_stale_page_is_not_submitted(
    world: World, database: Database, shop: Shop
) -> None:
    order = await the_order(database, shop.draft.id)
    seen = order.version_id
    assert seen is not None
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    await run_everything(world)
    with pytest.raises(Conflict, match="newer version"):
        async with database.transaction() as session:
            await submit(session, world.settings, order.id, seen, shop.people.owner, latest_seen=seen)


async def test_a_version_of_another_order_is_no_version_of_this_one(
    world: World, database: Database, shop: Shop
) -> None:
    async with database.transaction() as session:
        other_draft = await make_draft(
            session, shop.article, shop.people.stranger, "https://other.example.net/x", "filter jug"
        )
        await make_paid(session, other_draft)
    await run_everything(world)
    mine, theirs = await the_order(database, shop.draft.id), await the_order(database, other_draft.id)
    assert theirs.version_id is not None
    with pytest.raises(NotFound):
        async with database.transaction() as session:
            await submit(session, world.settings, mine.id, theirs.version_id, shop.people.owner)
    with pytest.raises(NotFound):
        async with database.transaction() as session:
            await regenerate(session, world.settings, theirs.id, shop.people.owner)


@pytest.mark.parametrize("round_", range(5))
async def test_editors_deciding_differently_at_once_decide_once(
    world: World, database: Database, shop: Shop, round_: int
) -> None:
    order = await submitted(world, database, shop)
    editor = shop.people.editor
    acts: list[Act] = [
        lambda session: approve(session, world.settings, order.id, editor),
        lambda session: reject(session, world.settings, order.id, editor, "Not a fit."),
        lambda session: approve(session, world.settings, order.id, editor),
        lambda session: send_back(session, world.settings, order.id, editor, "Look again."),
    ]
    outcomes = await at_once(database, *acts[round_ % 4 :], *acts[: round_ % 4])
    order = await the_order(database, shop.draft.id)
    refunds = await refunds_of(database)
    is_linked = TARGET in await published_text(database, shop.article.id)
    # A returned order can still be rejected after it, so up to two may be "ok"; what counts is that they agree.
    assert (order.status, len(refunds), is_linked) in {
        (S.COMPLETED, 0, True),
        (S.FAILED, 1, False),
        (S.QUALITY_CHECK, 0, False),
    }
    assert "ok" in outcomes


async def test_two_customers_of_one_article_both_keep_their_links(
    world: World, database: Database, shop: Shop
) -> None:
    other_target = "https://jugs.example.net/filter-jugs"
    async with database.transaction() as session:
        draft = await make_draft(session, shop.article, shop.people.stranger, other_target, "filter jug")
        await make_paid(session, draft)
    await run_everything(world)
    first, second = await the_order(database, shop.draft.id), await the_order(database, draft.id)
    for order, person in ((first, shop.people.owner), (second, shop.people.stranger)):
        if order.status is S.QUALITY_CHECK:
            assert order.version_id is not None
            async with database.transaction() as session:
                await submit(session, world.settings, order.id, order.version_id, person)
    acts: list[Act] = [
        lambda session: approve(session, world.settings, first.id, shop.people.editor),
        lambda session: approve(session, world.settings, second.id, shop.people.editor),
    ]
    assert await at_once(database, *acts) == ["ok", "ok"]
    await run_everything(world)
    after = {order.id: (await the_order(database, order.draft_id)).status for order in (first, second)}
    assert sorted(after.values()) == [S.ADMIN_REVIEW, S.COMPLETED]
    moved = first.id if after[first.id] is S.ADMIN_REVIEW else second.id
    before = await published_text(database, shop.article.id)
    async with database.transaction() as session:
        await approve(session, world.settings, moved, shop.people.editor)
    text_now = await published_text(database, shop.article.id)
    assert TARGET in text_now
    assert other_target in text_now
    url, anchor = (TARGET, ANCHOR) if moved == first.id else (other_target, "filter jug")
    assert check_integration(before, text_now, url=url, anchor=anchor).passed


async def test_a_late_result_finds_nobody_waiting(world: World, database: Database, shop: Shop) -> None:
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    async with database.transaction() as session:
        brief = await making.take_up(session, order.id, 2)
    [first] = await versions_of(database, order.id)
    draught = Draught(first.markdown, {}, {}, 1, needs_editor=False)

    def hand_in(session: AsyncSession) -> Awaitable[Any]:
        return making.hand_in(session, world.settings, brief, draught)

    assert Counter(await at_once(database, *[hand_in] * 5)) == {"ok": 1, "Stale": 4}
    assert len(await versions_of(database, order.id)) == 2


async def test_cancelling_against_a_worker_that_begins(world: World, database: Database) -> None:
    shop = await make_shop(database)
    async with database.transaction() as session:
        order = await making.create_order(session, world.settings, shop.draft.id, shop.checkout.id)
    assert order is not None
    outcomes = await at_once(
        database,
        lambda session: cancel(session, world.settings, order.id, shop.people.owner),
        lambda session: making.take_up(session, order.id, 1),
    )
    now_ = await the_order(database, shop.draft.id)
    refunds = await refunds_of(database)
    if outcomes[0] == "ok":
        assert outcomes[1] == "Stale"
        assert (now_.status, now_.fail_reason, len(refunds)) == (S.FAILED, FailReason.CANCELLED, 1)
    else:
        assert outcomes == ["Conflict", "ok"]
        assert (now_.status, refunds) == (S.PROCESSING, [])


async def test_an_article_that_was_taken_offline_before_work_began_costs_nothing(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    async with database.transaction() as session:
        article = await session.get_one(Article, shop.article.id)
        article.status = ArticleStatus.UNPUBLISHED
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason) == (S.FAILED, FailReason.ARTICLE_GONE)
    assert len(await refunds_of(database)) == 1


async def test_an_article_that_was_taken_offline_cannot_be_approved_into(
    world: World, database: Database, shop: Shop
) -> None:
    order = await submitted(world, database, shop)
    async with database.transaction() as session:
        article = await session.get_one(Article, shop.article.id)
        article.status = ArticleStatus.UNPUBLISHED
    with pytest.raises(Conflict, match="not published"):
        async with database.transaction() as session:
            await approve(session, world.settings, order.id, shop.people.editor)
    assert (await the_order(database, shop.draft.id)).status is S.ADMIN_REVIEW


@pytest.mark.parametrize(
    "state", [PaymentState.DISPUTED, PaymentState.REFUND_PENDING, PaymentState.DISPUTE_LOST]
)
async def test_an_order_whose_money_is_in_doubt_rests(
    world: World, database: Database, shop: Shop, state: PaymentState
) -> None:
    order = await submitted(world, database, shop)
    async with database.transaction() as session:
        row = await session.get_one(Order, order.id)
        row.payment_state = state
    with pytest.raises(Conflict):
        async with database.transaction() as session:
            await approve(session, world.settings, order.id, shop.people.editor)


async def test_what_waits_too_long_is_submitted_once_and_reminded_of_on_the_way(
    world: World, database: Database, shop: Shop
) -> None:
    from datetime import timedelta

    order = await the_order(database, shop.draft.id)
    for day in (1, 3, 3, 4, 7, 13):
        async with database.transaction() as session:
            await tend_reviews(session, world.settings, now() + timedelta(days=day))
    reminders = Counter(kind for kind, _ in await letters_of(database))["review_reminder"]
    assert reminders == 3
    assert (await the_order(database, shop.draft.id)).status is S.QUALITY_CHECK

    def tend(session: AsyncSession) -> Awaitable[Any]:
        return tend_reviews(session, world.settings, now() + timedelta(days=15))

    await at_once(database, *[tend] * 4)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.submitted_version_id) == (S.ADMIN_REVIEW, order.version_id)
    async with database.transaction() as session:
        rows = (
            await session.execute(select(text("count(*)")).select_from(text("orders_transitions")))
        ).scalar_one()
    assert rows == 3


async def test_another_version_that_dies_leaves_the_first_to_choose_and_is_told_once(
    world: World, database: Database, shop: Shop
) -> None:
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)

    def fail(session: AsyncSession) -> Awaitable[Any]:
        return making.fail_generation(session, world.settings, order.id, 2, "Every attempt failed.")

    await at_once(database, *[fail] * 4)
    again = await the_order(database, shop.draft.id)
    assert (again.status, again.fail_reason, again.version_id) == (S.QUALITY_CHECK, None, order.version_id)
    assert [one.state for one in await generations_of(database, order.id)] == [
        GenerationState.DONE,
        GenerationState.FAILED,
    ]
    assert (await history_of(database, order.id))[-1] == (
        S.PROCESSING,
        S.QUALITY_CHECK,
        "no other version",
        "writer",
    )
    assert await refunds_of(database) == []
    kinds = Counter(kind for kind, _ in await letters_of(database))
    assert (kinds["no_other_version"], kinds["admin_alert"], kinds["order_failed"]) == (1, 1, 0)
    assert again.version_id is not None
    async with database.transaction() as session:
        await submit(session, world.settings, order.id, again.version_id, shop.people.owner)


async def test_another_version_that_dies_because_its_article_is_gone_fails_the_order(
    world: World, database: Database, shop: Shop
) -> None:
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
        await session.execute(update(Article).values(status=ArticleStatus.UNPUBLISHED))
        await making.fail_generation(session, world.settings, order.id, 2, "Every attempt failed.")
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason) == (S.FAILED, FailReason.ARTICLE_GONE)
    assert len(await refunds_of(database)) == 1
