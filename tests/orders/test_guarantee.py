"""The guarantee: published links are looked at over real HTTP, doubted, lost, put back, or handed to an editor."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from infra.local.people import EDITOR
from models.base.clock import now
from models.base.errors import Conflict
from models.jobs import enqueue
from models.jobs.tables import JobRow
from models.orders.care.guarantee import PAUSE, Sight, ask_link_checks, note_check
from models.orders.care.repairing import Moved, NotLost, put_back, take_up_repair
from models.orders.care.tables import LinkCheck
from models.orders.catalogue.content import add_version
from models.orders.desk.attention import attention
from models.orders.jobs import CheckLink, RepairLink
from models.orders.reviewing import approve, submit
from models.orders.states import ArticleStatus, LinkState, OrderStatus
from models.orders.tables import Article, Order, Version
from models.orders.truths import verdicts
from models.orders.writing.briefs import Brief, Draught
from tasks.testing import run_everything
from tests.orders.builders import letters_of, published_text
from tests.orders.desk import Desk, open_desk
from tests.orders.selling import ANCHOR, OWNER, Shop
from tests.orders.test_admin_truths import UNWATCHED

GONE = Sight("The page has no link to the target.", {"status": 200})
THERE = Sight(None, {"status": 200})


async def published(desk: Desk) -> Order:
    """The shop's order, published."""
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        return await approve(session, desk.world.settings, order.id, desk.shop.people.editor)


async def without_link(desk: Desk, markdown: str | None = None) -> None:
    """Publish a text without the link, as a careless change would."""
    async with desk.database.transaction() as session:
        article = await session.get_one(Article, desk.shop.article.id)
        first = select(Version).where(Version.article_id == article.id).order_by(Version.number).limit(1)
        base = (await session.scalars(first)).one()
        version = await add_version(
            session, article.id, markdown=markdown or base.markdown, origin="edit", is_qc_passed=True
        )
        await session.execute(
            update(Article).where(Article.id == article.id).values(published_version_id=version.id)
        )


async def looked(desk: Desk, order: Order, sight: Sight, *, is_due: bool = True) -> LinkState | None:
    async with desk.database.transaction() as session:
        if is_due:
            await session.execute(text("update orders set link_due_at = now() - interval '1 second'"))
        return await note_check(session, desk.world.settings, order.id, sight)


async def lost(desk: Desk, markdown: str | None = None) -> Order:
    """An order whose link two looks did not find."""
    order = await published(desk)
    await without_link(desk, markdown)
    assert await looked(desk, order, GONE) is LinkState.DOUBTED
    assert await looked(desk, order, GONE) is LinkState.LOST
    return await desk.order()


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


# ---------------------------------------------------------------- the whole way, over HTTP
@pytest.mark.slow
async def test_a_published_link_is_looked_at_lost_put_back_and_looked_at_again(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        order_id = await shop.order_id()
        await ada.submit(order.form("submission"))
        async with shop.database.transaction() as session:
            await approve(session, shop.world.settings, order_id, await shop.person(EDITOR))
        assert "checked for the first time within minutes" in (await ada.open(order.path)).text

        await ask(shop)
        assert "in place" in (await ada.open(order.path)).text
        async with shop.database.transaction() as session:
            check = (await session.scalars(select(LinkCheck))).one()
            row = await session.get_one(Order, order_id)
        assert (check.is_ok, check.problem) == (True, None)
        assert (check.found["anchor"], check.found["rel"], check.found["status"]) == (
            ANCHOR,
            "sponsored",
            200,
        )
        assert row.link_due_at is not None
        assert timedelta(hours=22) < row.link_due_at - now() < timedelta(hours=25)

        before = await published_text(shop.database, row.article_id)
        async with shop.database.transaction() as session:
            await session.execute(
                text(
                    "update orders_articles a set published_version_id = v.base_version_id"
                    " from orders_versions v where v.id = a.published_version_id and a.id = :id"
                ),
                {"id": row.article_id},
            )
        await ask(shop)
        assert "not found; we look again" in (await ada.open(order.path)).text
        await ask(shop)
        page = await ada.open(order.path)
        assert "repaired" in page.text
        assert "Our daily check misses your link" in page.text
        assert "Your link was put back" in page.text
        assert await published_text(shop.database, row.article_id) == before
        await ask(shop)
        assert "in place" in (await ada.open(order.path)).text
        to_ada = [kind for kind, to in await letters_of(shop.database) if to == OWNER]
        assert to_ada[-2:] == ["link_lost", "link_repaired"]


async def ask(shop: Shop) -> None:
    """Let the clock come to the next look, and do it."""
    async with shop.database.transaction() as session:
        await session.execute(text("update orders set link_due_at = now() - interval '1 second'"))
        await ask_link_checks(session, shop.world.settings, now())
    await shop.work()


# ---------------------------------------------------------------- when, and how often
async def test_looks_are_asked_for_once_and_one_after_the_other(desk: Desk):
    await published(desk)
    await desk.fill_queue(3)
    async with desk.database.transaction() as session:
        await session.execute(
            text("update orders set status = 'COMPLETED', completed_at = now() - interval '1 day'")
        )
        at = now()
        assert len(await ask_link_checks(session, desk.world.settings, at)) == 4
        assert await ask_link_checks(session, desk.world.settings, at) == []
        asked = select(JobRow.run_at, JobRow.limit_key).where(JobRow.kind == CheckLink.kind)
        runs = (await session.execute(asked.order_by(JobRow.run_at))).all()
    assert [run_at - at for run_at, _ in runs] == [PAUSE * turn for turn in range(4)]
    assert {str(key).split("/")[0] for _, key in runs} == {"host"}


@pytest.mark.parametrize("state", ["refunded", "dispute_lost"])
async def test_a_link_whose_money_went_back_is_not_watched(desk: Desk, state: str):
    order = await published(desk)
    async with desk.database.transaction() as session:
        await session.execute(text("update orders set payment_state = :state"), {"state": state})
        assert await ask_link_checks(session, desk.world.settings, now()) == []
    assert await looked(desk, order, GONE) is None


async def test_a_second_look_right_after_the_first_decides_nothing(desk: Desk):
    order = await published(desk)
    assert await looked(desk, order, GONE) is LinkState.DOUBTED
    assert await looked(desk, order, GONE, is_due=False) is LinkState.DOUBTED
    assert await looked(desk, order, THERE) is LinkState.IN_PLACE
    assert await looked(desk, order, GONE) is LinkState.DOUBTED
    assert "link_lost" not in [kind for kind, _ in await letters_of(desk.database)]


async def test_a_link_that_nobody_looked_at_for_two_days_breaks_a_truth(desk: Desk):
    await published(desk)
    for hours, is_kept in ((47, True), (49, False)):
        async with desk.database.transaction() as session:
            await session.execute(
                text("update orders set completed_at = now() - make_interval(hours => :hours)"),
                {"hours": hours},
            )
            found = {one.truth: one.is_kept for one in await verdicts(session)}
        assert found[UNWATCHED] is is_kept


# ---------------------------------------------------------------- putting back
async def test_a_lost_link_is_told_once_to_the_customer_and_the_editors(desk: Desk):
    order = await lost(desk)
    assert await looked(desk, order, GONE) is LinkState.LOST
    told = [one for one in await letters_of(desk.database) if one[0] in {"link_lost", "admin_alert"}]
    assert sorted(told) == [
        ("admin_alert", "admin@example.com"),
        ("admin_alert", "editor@example.com"),
        ("link_lost", "owner@example.com"),
    ]


async def test_a_repair_places_the_same_sentence_and_counts_no_new_sale(desk: Desk):
    order = await published(desk)
    sold = await published_text(desk.database, desk.shop.article.id)
    async with desk.database.transaction() as session:
        count = await session.scalar(select(Article.placement_count))
    await without_link(desk)
    await looked(desk, order, GONE)
    await looked(desk, order, GONE)
    await run_everything(desk.world)
    order = await desk.order()
    assert (order.status, order.link_state, order.link_lost_at) == (
        OrderStatus.COMPLETED,
        LinkState.REPAIRED,
        None,
    )
    assert await published_text(desk.database, desk.shop.article.id) == sold
    async with desk.database.transaction() as session:
        version = await session.get_one(Version, order.published_version_id)
        assert await session.scalar(select(Article.placement_count)) == count
    assert (version.origin, version.is_qc_passed, version.generation) == ("repair", True, order.generation)
    assert (version.edit or {})["writer"] == "basic"


async def test_an_unpublished_article_is_an_editors_task_until_its_link_stands(desk: Desk):
    order = await lost(desk)
    async with desk.database.transaction() as session:
        await session.execute(update(Article).values(status=ArticleStatus.UNPUBLISHED))
    await run_everything(desk.world)
    order = await desk.order()
    assert order.link_state is LinkState.STUCK
    async with desk.database.transaction() as session:
        [task] = (await attention(session, now())).links
    assert (task.id, task.state) == (order.id, LinkState.STUCK)
    assert "not published" in (task.problem or "")
    editor = await desk.browser(desk.admin)
    assert "Needs an editor" in (await editor.open("/admin")).text
    customer = await desk.browser(desk.shop.people.owner)
    assert "your link is missing at present" in (await customer.open(f"/orders/{order.id}")).text
    page = await editor.open(f"/admin/orders/{order.id}")
    assert "An editor has to look after this link" in page.text
    page = await editor.submit(page.form("Check it now"))
    assert "The page is looked at." in page.text
    async with desk.database.transaction() as session:
        await session.execute(update(Article).values(status=ArticleStatus.PUBLISHED))
    assert await looked(desk, order, THERE) is LinkState.IN_PLACE
    async with desk.database.transaction() as session:
        assert (await attention(session, now())).links == []
    assert [kind for kind, _ in await letters_of(desk.database)].count("link_repaired") == 1


async def test_the_links_of_an_article_that_was_taken_down_are_an_editors_task(desk: Desk):
    order = await published(desk)
    asking = f"/admin/sites/second-pour/articles/{desk.shop.article.id}/withdrawal"
    async with await desk.browser(desk.shop.people.editor) as ed:
        assert "archival-form" not in [form.id for form in (await ed.open(asking)).forms]
    async with await desk.browser(desk.admin) as admin:
        screen = await admin.open(asking)
        assert f"G-{order.number}" in screen.links
        assert "Taken down" in (await admin.submit(screen.form("archival-form"))).text
        for path in ("/articles/second-pour/grinding", "/catalogue/second-pour/grinding/order"):
            assert (await admin.open(path)).status == 410
    assert await looked(desk, order, GONE) is LinkState.STUCK
    async with desk.database.transaction() as session:
        [task] = (await attention(session, now())).links
    assert (task.id, task.state) == (order.id, LinkState.STUCK)
    # Nobody is told that it is being put back.
    assert "link_lost" not in [kind for kind, _ in await letters_of(desk.database)]
    # Its money back is the other way to be done with it.
    async with desk.database.transaction() as session:
        await session.execute(update(Order).values(payment_state="refunded"))
        assert (await attention(session, now())).links == []


async def test_a_text_that_cannot_take_the_link_any_more_is_an_editors_task(desk: Desk):
    await lost(desk, "# Closed\n\n- nothing\n- is left\n")
    await run_everything(desk.world)
    order = await desk.order()
    assert order.link_state is LinkState.STUCK
    assert order.link_problem == "No paragraph of this article can take the link."


async def test_a_text_that_has_the_link_on_a_page_that_hides_it_is_an_editors_task(desk: Desk):
    order = await published(desk)
    hidden = Sight("The page asks search engines not to show it.", {"status": 200})
    await looked(desk, order, hidden)
    await looked(desk, order, hidden)
    await run_everything(desk.world)
    assert "does not show it as sold. The page asks search engines" in (
        (await desk.order()).link_problem or ""
    )


# ---------------------------------------------------------------- races
async def the_repair(desk: Desk) -> tuple[Brief, Draught]:
    async with desk.database.transaction() as session:
        await session.execute(text("delete from jobs where kind = :kind"), {"kind": RepairLink.kind})
        brief = await take_up_repair(session, (await desk.order()).id)
    assert isinstance(brief, Brief)
    assert brief.chosen is not None
    return brief, Draught(brief.chosen.after, {"writer": "editor", "is_same": True}, {"checks": []}, 1, False)


async def test_a_repair_against_an_approval_on_the_same_article_loses_nobodys_link(desk: Desk):
    await lost(desk)
    brief, draught = await the_repair(desk)
    other = await desk.another_order()
    assert other.version_id is not None
    async with desk.database.transaction() as session:
        await submit(session, desk.world.settings, other.id, other.version_id, desk.shop.people.owner)

    async def repair() -> str:
        try:
            async with desk.database.transaction() as session:
                await put_back(session, desk.world.settings, brief, draught)
        except Moved:
            async with desk.database.transaction() as session:
                await enqueue(session, RepairLink(order_id=brief.order_id))
            return "moved"
        return "put back"

    async def decide() -> OrderStatus:
        async with desk.database.transaction() as session:
            return (await approve(session, desk.world.settings, other.id, desk.admin)).status

    outcome, status = await asyncio.gather(repair(), decide())
    # One of them found the article as it was; the other begins again from what that left.
    assert (outcome, status) in {
        ("put back", OrderStatus.PROCESSING),
        ("moved", OrderStatus.COMPLETED),
    }
    await run_everything(desk.world)
    if status is OrderStatus.PROCESSING:
        async with desk.database.transaction() as session:
            await approve(session, desk.world.settings, other.id, desk.admin)
    shown = await published_text(desk.database, desk.shop.article.id)
    assert brief.target_url in shown
    assert other.target_url in shown


async def test_two_repairs_at_once_put_back_one_link(desk: Desk):
    await lost(desk)
    brief, draught = await the_repair(desk)

    async def repair() -> str:
        try:
            async with desk.database.transaction() as session:
                await put_back(session, desk.world.settings, brief, draught)
        except (NotLost, Moved) as refusal:
            return type(refusal).__name__
        return "put back"

    assert sorted(await asyncio.gather(*(repair() for _ in range(5)))) == [*["NotLost"] * 4, "put back"]
    assert (await published_text(desk.database, desk.shop.article.id)).count(brief.target_url) == 1


async def test_two_looks_at_once_lose_the_link_once(desk: Desk):
    order = await published(desk)
    await without_link(desk)
    await looked(desk, order, GONE)
    async with desk.database.transaction() as session:
        await session.execute(text("update orders set link_due_at = now() - interval '1 second'"))

    async def look() -> LinkState | None:
        async with desk.database.transaction() as session:
            return await note_check(session, desk.world.settings, order.id, GONE)

    assert set(await asyncio.gather(*(look() for _ in range(5)))) == {LinkState.LOST}
    assert [kind for kind, _ in await letters_of(desk.database)].count("link_lost") == 1
    async with desk.database.transaction() as session:
        jobs = await session.scalars(select(JobRow).where(JobRow.kind == RepairLink.kind))
        assert len(jobs.all()) == 1


async def test_a_link_that_is_not_owed_cannot_be_looked_at_by_hand(desk: Desk):
    order = await desk.submitted()
    editor = await desk.browser(desk.admin)
    page = await editor.open(f"/admin/orders/{order.id}")
    assert "Check it now" not in page.text
    from models.orders.care.guarantee import check_now

    async with desk.database.transaction() as session:
        with pytest.raises(Conflict):
            await check_now(session, order.id, desk.admin)
