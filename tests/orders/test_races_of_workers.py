"""Workers that die, editors who press the same button, and articles that go while an order comes."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import Database, new_id
from models.jobs import gates
from models.jobs.actions import rescue
from models.jobs.store import Claim, Store
from models.orders.catalogue.editing import editable, save_article, unpublish
from models.orders.payments import follow_payment
from models.orders.reviewing import approve, refund, regenerate, submit
from models.orders.states import ArticleStatus, FailReason, GenerationState, OrderStatus
from models.orders.tables import Article
from models.orders.text.markdown import links
from models.orders.writing import making
from models.orders.writing.briefs import Draught
from models.payments.states import PaymentState
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import (
    TARGET,
    Shop,
    generations_of,
    make_shop,
    published_text,
    refunds_of,
    the_order,
    versions_of,
)
from tests.orders.test_races import Act, at_once
from tests.orders.test_races_of_money import create, dispute

S = OrderStatus
SITE = "second-pour"


@pytest.fixture
async def shop(world: World, database: Database) -> Shop:
    """A shop whose only order waits for its customer."""
    shop = await make_shop(database)
    await run_everything(world)
    return shop


async def submitted(world: World, shop: Shop) -> None:
    order = await the_order(world.database, shop.draft.id)
    assert order.version_id is not None
    async with world.database.transaction() as session:
        await submit(session, world.settings, order.id, order.version_id, shop.people.owner)


async def taken_by_a_worker_that_dies(world: World) -> list[Claim]:
    """Somebody claims what waits, and is found to be dead."""
    doomed = Store(world.settings.database.url, new_id(), "doomed")
    await gates.wake(doomed)
    claims = await doomed.claim({"orders": 10})
    await doomed.close()
    async with world.database.transaction() as session:
        await rescue(session, timedelta(seconds=30))
    return claims


async def test_a_worker_that_dies_in_the_middle_is_followed_by_another_and_comes_too_late(
    world: World, database: Database, shop: Shop
) -> None:
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    async with database.transaction() as session:
        brief = await making.take_up(session, order.id, 2)
    assert [one.kind for one in await taken_by_a_worker_that_dies(world)] == ["orders.integrate_backlink"]
    await run_everything(world)
    first, second = await versions_of(database, order.id)
    late = Draught(first.markdown, {}, {}, 1, needs_editor=False)

    def hand_in(session: AsyncSession) -> Awaitable[Any]:
        return making.hand_in(session, world.settings, brief, late)

    assert await at_once(database, *[hand_in] * 3) == ["Stale"] * 3
    assert [one.id for one in await versions_of(database, order.id)] == [first.id, second.id]
    assert (await the_order(database, shop.draft.id)).status is S.QUALITY_CHECK


async def test_a_generation_that_kills_every_worker_fails_and_is_given_back(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    await create(world, shop)
    for _ in range(3):
        assert len(await taken_by_a_worker_that_dies(world)) == 1
    async with database.transaction() as session:
        dead = text("select count(*) from jobs where kind = 'orders.integrate_backlink' and state = 'dead'")
        assert (await session.execute(dead)).scalar_one() == 1
    order = await the_order(database, shop.draft.id)

    def fail(session: AsyncSession) -> Awaitable[Any]:
        return making.fail_generation(session, world.settings, order.id, 1, "Every attempt failed.")

    await at_once(database, fail, fail)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason) == (S.FAILED, FailReason.GENERATION)
    assert [one.kind for one in await refunds_of(database)] == ["generation"]
    assert [one.state for one in await generations_of(database, order.id)] == [GenerationState.FAILED]


async def test_two_editors_who_refund_at_once_refund_once(
    world: World, database: Database, shop: Shop
) -> None:
    await submitted(world, shop)
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await approve(session, world.settings, order.id, shop.people.editor)

    def press(session: AsyncSession) -> Awaitable[Any]:
        return refund(session, order.id, shop.people.editor, "Sorry.")

    assert sorted(await at_once(database, *[press] * 4)) == ["Conflict"] * 3 + ["ok"]
    assert [(one.kind, one.amount_cents) for one in await refunds_of(database)] == [("goodwill", 4900)]
    assert TARGET in await published_text(database, shop.article.id)


@pytest.mark.parametrize("is_first", [True, False])
async def test_an_edit_at_the_moment_of_approval_loses_no_link(
    world: World, database: Database, shop: Shop, *, is_first: bool
) -> None:
    await submitted(world, shop)
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        there = await editable(session, SITE, shop.article.id)
    facts = replace(there.facts, markdown=there.head.markdown + "\nA last word about kettles.\n")
    acts: list[Act] = [
        lambda session: approve(session, world.settings, order.id, shop.people.editor),
        lambda session: save_article(session, SITE, shop.article.id, facts, there.seen, shop.people.editor),
    ]
    await at_once(database, *(acts if is_first else reversed(acts)))
    order = await the_order(database, shop.draft.id)
    hrefs = [link.href for link in links(await published_text(database, shop.article.id))]
    assert (order.status, hrefs.count(TARGET)) in {(S.COMPLETED, 1), (S.PROCESSING, 0)}


async def test_an_article_that_goes_in_the_moment_in_which_its_order_comes_keeps_no_money(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    async with database.transaction() as session:
        seen = (await editable(session, SITE, shop.article.id)).seen
    outcomes = await at_once(
        database,
        lambda session: making.create_order(session, world.settings, shop.draft.id, shop.checkout.id),
        lambda session: unpublish(session, SITE, shop.article.id, seen, shop.people.editor),
    )
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        article = await session.get_one(Article, shop.article.id)
    found = (article.status, order.status, len(await refunds_of(database)))
    if outcomes[1] == "ok":
        assert found == (ArticleStatus.UNPUBLISHED, S.FAILED, 1)
    else:
        assert found == (ArticleStatus.PUBLISHED, S.PROCESSING, 0)


async def test_a_dispute_at_the_moment_of_approval_takes_nothing_down_and_gives_nothing_back(
    world: World, database: Database, shop: Shop
) -> None:
    await submitted(world, shop)
    order = await the_order(database, shop.draft.id)
    await dispute(database, shop.checkout)
    await at_once(
        database,
        lambda session: approve(session, world.settings, order.id, shop.people.editor),
        lambda session: follow_payment(session, world.settings, shop.checkout.id),
    )
    order = await the_order(database, shop.draft.id)
    is_linked = TARGET in await published_text(database, shop.article.id)
    assert order.payment_state is PaymentState.DISPUTED
    assert (order.status, is_linked) in {(S.COMPLETED, True), (S.ADMIN_REVIEW, False)}
    await dispute(database, shop.checkout, "lost")
    async with database.transaction() as session:
        await follow_payment(session, world.settings, shop.checkout.id)
    after = await the_order(database, shop.draft.id)
    assert after.status is (S.COMPLETED if is_linked else S.FAILED)
    assert (TARGET in await published_text(database, shop.article.id)) is is_linked
    assert await refunds_of(database) == []
