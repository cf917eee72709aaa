"""Two people at one article at the same time: nothing is overwritten unseen, and no paid link is lost."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from models.base.errors import Conflict, Invalid
from models.orders.catalogue.editing import EditConflict, editable, restore, save_article, unpublish
from models.orders.reviewing import approve, reject
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Version
from tasks.testing import run_everything
from tests.orders.builders import ANCHOR, MARKDOWN, TARGET, published_text
from tests.orders.desk import Desk

SITE = "second-pour"
LINK = f"[{ANCHOR}]({TARGET})"


async def seen(desk: Desk) -> str:
    async with desk.database.transaction() as session:
        return (await editable(session, SITE, desk.shop.article.id)).seen


async def save(desk: Desk, token: str, markdown: str) -> None:
    async with desk.database.transaction() as session:
        there = await editable(session, SITE, desk.shop.article.id)
        facts = replace(there.facts, markdown=markdown)
        await save_article(session, SITE, desk.shop.article.id, facts, token, desk.shop.people.editor)


async def approved(desk: Desk) -> str:
    """Have the desk's order published; the text with its link."""
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    return await published_text(desk.database, desk.shop.article.id)


async def test_ten_editors_save_at_once_and_one_of_them_wins(desk: Desk):
    token = await seen(desk)

    async def one(number: int) -> str:
        try:
            await save(desk, token, f"{MARKDOWN}\nWords of editor {number}.\n")
        except EditConflict:
            return "conflict"
        return "saved"

    assert Counter(await asyncio.gather(*map(one, range(10)))) == {"saved": 1, "conflict": 9}
    async with desk.database.transaction() as session:
        query = select(Version.number).where(Version.article_id == desk.shop.article.id)
        assert sorted(await session.scalars(query)) == [1, 2]


async def test_who_saves_second_sees_both_texts_and_can_bring_them_together(desk: Desk):
    path = f"/admin/sites/{SITE}/articles/{desk.shop.article.id}"
    async with await desk.browser(desk.shop.people.editor) as ed, await desk.browser(desk.admin) as ada:
        mine, theirs = await ed.open(path), await ada.open(path)
        await ada.submit(
            theirs.form("article-form"), markdown=f"{MARKDOWN}\nAda was here.\n", author="Ada Grind"
        )
        screen = await ed.submit(mine.form("article-form"), markdown=f"{MARKDOWN}\nEd was here.\n")
        assert screen.status == 409
        assert "Ada was here" in screen.text
        assert "“Ada Grind” now" in screen.text
        form = screen.form("article-form")
        assert form.fields["markdown"].endswith("Ed was here.\n")
        assert "Ed was here" not in await published_text(desk.database, desk.shop.article.id)
        both = f"{MARKDOWN}\nAda was here.\n\nEd was here.\n"
        screen = await ed.submit(form, markdown=both)
        assert screen.status == 200
    assert await published_text(desk.database, desk.shop.article.id) == both


async def test_an_approval_between_opening_and_saving_is_a_conflict_and_keeps_its_link(desk: Desk):
    token = await seen(desk)
    published = await approved(desk)
    assert LINK in published
    with pytest.raises(EditConflict):
        await save(desk, token, f"{MARKDOWN}\nMore.\n")
    assert await published_text(desk.database, desk.shop.article.id) == published


@pytest.mark.slow
async def test_an_approval_and_an_edit_at_the_same_moment_never_lose_the_link(desk: Desk):
    order = await desk.submitted()
    token = await seen(desk)

    async def decide() -> str:
        async with desk.database.transaction() as session:
            done = await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
            return done.status

    async def edit() -> str:
        try:
            await save(desk, token, f"{MARKDOWN}\nMore.\n")
        except EditConflict:
            return "conflict"
        return "saved"

    status, edited = await asyncio.gather(decide(), edit())
    assert (status, edited) in {(OrderStatus.COMPLETED, "conflict"), (OrderStatus.PROCESSING, "saved")}
    if edited == "saved":
        await run_everything(desk.world)
        async with desk.database.transaction() as session:
            done = await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
        assert done.status is OrderStatus.COMPLETED
        assert "More." in await published_text(desk.database, desk.shop.article.id)
    assert LINK in await published_text(desk.database, desk.shop.article.id)


async def test_a_running_order_is_placed_anew_on_what_an_editor_published(desk: Desk):
    order = await desk.submitted()
    await save(desk, await seen(desk), f"{MARKDOWN}\nMore.\n")
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    await run_everything(desk.world)
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    published = await published_text(desk.database, desk.shop.article.id)
    assert LINK in published
    assert published.endswith("More.\n")


async def test_a_text_without_a_paid_link_is_refused_and_the_order_is_named(desk: Desk):
    published = await approved(desk)
    order = await desk.order()
    for worse in (
        MARKDOWN,
        published.replace(ANCHOR, "some grinders"),
        published.replace(TARGET, "https://x.example"),
    ):
        with pytest.raises(Invalid) as refused:
            await save(desk, await seen(desk), worse)
        assert f"G-{order.number}" in refused.value.fields["markdown"]
    async with desk.database.transaction() as session:
        with pytest.raises(Conflict, match=f"G-{order.number}"):
            await restore(session, SITE, desk.shop.article.id, 1, await seen(desk), desk.shop.people.editor)
    await save(desk, await seen(desk), f"{published}\nMore.\n")
    assert LINK in await published_text(desk.database, desk.shop.article.id)


async def test_once_the_money_has_gone_back_the_link_may_go_and_its_place_is_free(desk: Desk):
    await approved(desk)
    async with desk.database.transaction() as session:
        await session.execute(text("update orders set payment_state = 'refunded'"))
    await save(desk, await seen(desk), MARKDOWN)
    async with desk.database.transaction() as session:
        assert (await session.get_one(Article, desk.shop.article.id)).placement_count == 0


async def test_an_article_with_orders_stays_online_and_they_are_named(desk: Desk):
    order = await desk.submitted()
    path = f"/admin/sites/{SITE}/articles/{desk.shop.article.id}/withdrawal"
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open(path)
        assert f"G-{order.number}" in screen.links
        fields = (await ed.open(path.removesuffix("/withdrawal"))).form("article-form").fields
        assert (await ed.send(path, "post", fields)).status == 409
    async with desk.database.transaction() as session:
        await reject(session, desk.world.settings, order.id, desk.shop.people.editor, "It does not fit.")
    async with desk.database.transaction() as session:
        article = await unpublish(
            session, SITE, desk.shop.article.id, await seen(desk), desk.shop.people.editor
        )
    assert article.status is ArticleStatus.UNPUBLISHED


async def test_a_delivered_article_stays_online(desk: Desk):
    await approved(desk)
    token = await seen(desk)
    with pytest.raises(Conflict, match="paid for"):
        async with desk.database.transaction() as session:
            await unpublish(session, SITE, desk.shop.article.id, token, desk.shop.people.editor)


async def test_an_order_that_is_paid_while_its_article_goes_offline_fails_or_stops_that(desk: Desk):
    token = await seen(desk)

    async def withdraw() -> str:
        try:
            async with desk.database.transaction() as session:
                await unpublish(session, SITE, desk.shop.article.id, token, desk.shop.people.editor)
        except Conflict:
            return "stays"
        return "offline"

    _, outcome = await asyncio.gather(run_everything(desk.world), withdraw())
    order = await desk.order()
    assert (order.status, outcome) in {
        (OrderStatus.FAILED, "offline"),
        (OrderStatus.QUALITY_CHECK, "stays"),
    }
