"""What the writer of articles asks, mends, and never pays for twice."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from models.base.db import Database, new_id
from models.base.settings.working import LlmSettings
from models.orders.reviewing import regenerate
from models.orders.states import FailReason, OrderStatus
from models.orders.writing.article_making import take_up_article
from models.orders.writing.new_articles import ArticleBrief
from models.usage.actions import begin_call
from models.usage.rules import Budget
from tasks.llm import Llm, LlmOptions
from tasks.testing import run_everything
from tasks.world import World
from tasks.writing.article import Step, write_article
from tests.articles.author import Author, paragraphs
from tests.articles.conftest import with_model, with_settings
from tests.articles.making import make_article_shop
from tests.llm.questions import calls_of
from tests.llm.script import Say, Silence, Status
from tests.llm.server import Call, ModelServer
from tests.orders.builders import letters_of, make_shop, refunds_of, the_order, versions_of

CLAIM = ["This method is clinically proven, and it works for every kettle that was ever made. Try it today."]


def brief(subject: str = "order/1") -> ArticleBrief:
    """A brief without neighbours."""
    return ArticleBrief(
        subject=subject,
        number=1,
        article_id=new_id(),
        topic="How to descale a kettle",
        keyword="descale a kettle",
        notes="",
        language="en",
        site_name="The Second Pour",
        site_about="Better coffee at home.",
        neighbours=(),
    )


def llm_of(world: World) -> Llm:
    options = LlmOptions.from_settings(world.settings.llm)
    assert options is not None
    return Llm(world.database, options)


async def test_a_writer_that_was_killed_goes_on_where_it_stopped_and_pays_for_nothing_twice(
    world: World, author: Author, server: ModelServer
) -> None:
    reached = asyncio.Event()

    def stop_at_third(call: Call) -> Silence | None:
        if "Section 3:" not in call.user:
            return None
        reached.set()
        return Silence()

    author.before = stop_at_third
    first = asyncio.create_task(write_article(llm_of(world), brief(), lambda _: None))
    await reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(server.calls) == 5

    author.before = lambda _: None
    steps: list[Step] = []
    manuscript = await write_article(llm_of(world), brief(), steps.append)

    assert manuscript.qc["passed"]
    assert dict(author.asked) == {"outline": 1} | {f"part {number}": 1 for number in range(6)}
    assert [step.words for step in steps][:3] == [
        "Planning the article",
        "Writing the introduction",
        "Writing section 1 of 5",
    ]
    async with world.database.transaction() as session:
        calls = await calls_of(session, "order/1")
    assert sorted(call.once or "" for call in calls if call.answer) == [
        "1/outline",
        *(f"1/part-{number}/1" for number in range(6)),
    ]


async def test_another_version_is_written_anew(world: World, author: Author) -> None:
    llm = llm_of(world)
    await write_article(llm, brief(), lambda _: None)
    await write_article(llm, replace(brief(), number=2), lambda _: None)
    assert author.asked["outline"] == 2


@pytest.mark.slow
async def test_a_provider_that_fails_for_a_moment_costs_an_attempt_and_no_answer(
    world: World, database: Database, author: Author
) -> None:
    shop = await make_article_shop(database)
    failures = [Status(503)]
    author.before = lambda call: failures.pop() if failures and "Section 2:" in call.user else None
    await run_everything(world, hurry=True)
    order = await the_order(database, shop.draft.id)
    assert order.status is OrderStatus.QUALITY_CHECK
    assert set(author.asked.values()) == {1}


async def test_only_the_part_at_fault_is_written_again_and_is_told_why(
    world: World, author: Author, server: ModelServer
) -> None:
    author.spoilt = {2: [CLAIM + paragraphs(2)]}
    manuscript = await write_article(llm_of(world), brief(), lambda _: None)
    assert (manuscript.qc_attempts, author.asked["part 2"], author.asked["part 1"]) == (2, 2, 1)
    assert "clinically proven" not in manuscript.markdown
    told = server.calls[-1].user
    assert "begin fault\nIt says “clinically proven”." in told
    assert "begin last attempt\nThis method is clinically proven" in told


async def test_an_article_that_is_too_short_is_written_longer_as_a_whole(
    world: World, author: Author
) -> None:
    author.spoilt = {number: [paragraphs(number, 40)] for number in range(1, 6)}
    manuscript = await write_article(llm_of(world), brief(), lambda _: None)
    assert manuscript.qc_attempts == 2
    assert [author.asked[f"part {number}"] for number in range(6)] == [2] * 6


@pytest.mark.parametrize(
    "answer",
    [
        "See [our shop](https://shop.example).",
        "- one thing",
        "## Heading",
        "Go to www.shop.example now.",
        "1. First",
    ],
)
async def test_markup_and_addresses_are_not_taken_from_a_model(
    world: World, author: Author, answer: str
) -> None:
    author.spoilt = {1: [[answer]]}
    manuscript = await write_article(llm_of(world), brief(), lambda _: None)
    assert author.asked["part 1"] == 2
    assert "shop" not in manuscript.markdown
    assert manuscript.qc_attempts == 1


@pytest.mark.slow
async def test_three_articles_that_do_not_pass_are_a_failure_with_a_refund(
    world: World, database: Database, author: Author
) -> None:
    shop = await make_article_shop(database)
    author.spoilt = {2: [CLAIM + paragraphs(2)] * 9}
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.fail_reason) == (OrderStatus.FAILED, FailReason.GENERATION)
    assert [refund.amount_cents for refund in await refunds_of(database)] == [4900]
    assert ("order_failed", shop.people.owner.email) in await letters_of(database)
    assert (author.asked["part 2"], author.asked["part 3"]) == (3, 1)


@pytest.mark.slow
async def test_a_second_version_that_fails_leaves_the_first_to_choose(
    world: World, database: Database, author: Author
) -> None:
    shop = await make_article_shop(database)
    await run_everything(world)
    author.spoilt = {2: [CLAIM + paragraphs(2)] * 9}
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert (order.status, len(await versions_of(database, order.id))) == (OrderStatus.QUALITY_CHECK, 1)
    assert order.review_due_at is not None
    assert await refunds_of(database) == []


@pytest.mark.slow
async def test_a_spent_budget_ends_the_order_before_anything_is_asked(
    world: World, database: Database, server: ModelServer
) -> None:
    shop = await make_article_shop(database)
    await run_everything(await poor(world, server))
    order = await the_order(database, shop.draft.id)
    assert (order.status, server.calls) == (OrderStatus.FAILED, [])
    assert len(await refunds_of(database)) == 1


async def test_a_spent_budget_leaves_links_to_the_basic_writer(
    world: World, database: Database, server: ModelServer
) -> None:
    shop = await make_shop(database)
    await run_everything(await poor(world, server))
    order = await the_order(database, shop.draft.id)
    [version] = await versions_of(database, order.id)
    assert (order.status, server.calls) == (OrderStatus.QUALITY_CHECK, [])
    assert version.edit is not None
    assert version.edit["writer"] == "basic"


async def test_a_second_placement_that_no_model_finds_leaves_the_first_to_choose(
    world: World, database: Database, server: ModelServer
) -> None:
    shop = await make_shop(database)
    without = world.settings.model_copy(update={"llm": LlmSettings(model=None)})
    await run_everything(with_settings(world, without))
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    server.answer = lambda _: Say('{"paragraph": 1, "after_sentence": 1, "sentence": "Nothing of it."}')
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert (order.status, len(await versions_of(database, order.id))) == (OrderStatus.QUALITY_CHECK, 1)
    assert await refunds_of(database) == []


async def poor(world: World, server: ModelServer) -> World:
    """The world on a day on which a cent may be spent on models, and all but a hundredth of it is."""
    call: dict[str, Any] = {
        "kind": "find_word",
        "provider": "openai",
        "model": "gpt-5-mini",
        "request_sha256": "0" * 64,
    }
    unlimited = Budget(per_subject_cents=0, per_day_cents=0)
    async with world.database.transaction() as session:
        await begin_call(session, **call, subject="order/0", reserved_cents=Decimal("0.99"), budget=unlimited)
    return with_settings(world, with_model(world.settings, server, budget_per_day_cents=1))


async def test_the_brief_of_a_version_has_the_site_and_its_articles_and_what_was_disliked(
    world: World, database: Database
) -> None:
    shop = await make_article_shop(database)
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, shop.people.owner)
    async with database.transaction() as session:
        found = await take_up_article(session, order.id, 2)
    assert {one.href for one in found.neighbours} == {
        "/articles/second-pour/grinding",
        "/articles/second-pour/kettles",
    }
    assert (found.site_name, found.language, found.notes, len(found.earlier)) == (
        "The Second Pour",
        "en",
        "",
        1,
    )
