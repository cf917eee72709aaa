"""Messages between a customer and the editors: who may write what, who is told of it, and how often."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.base.errors import Conflict, Invalid, NotFound
from models.mail.tables import EmailMessage
from models.orders.care.messages import MAX_WORDS, PER_DAY, QUIET, mark_read, tell_of_messages, write_message
from models.orders.care.tables import Message
from models.orders.queries import orders_of
from models.orders.states import OrderStatus, Side
from tasks.testing import run_everything
from tests.orders.builders import letters_of
from tests.orders.desk import Desk, open_desk
from tests.orders.selling import counting

C, E = Side.CUSTOMER, Side.EDITOR


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        await one.written()
        yield one


async def say(desk: Desk, side: Side, words: str = "Could it be a little later?") -> Message:
    author = desk.shop.people.owner if side is C else desk.shop.people.editor
    async with desk.database.transaction() as session:
        return await write_message(session, (await desk.order()).id, author, side, words)


async def told(desk: Desk) -> list[tuple[str, str]]:
    """The letters about messages, once everything that is due was done."""
    await run_everything(desk.world)
    return [one for one in await letters_of(desk.database) if one[0] in {"new_message", "admin_message"}]


async def later(desk: Desk, by: timedelta = QUIET) -> None:
    """Let time pass for letters, and for the jobs that wait for it."""
    async with desk.database.transaction() as session:
        await session.execute(
            text("update email_messages set created_at = created_at - cast(:by as interval)"), {"by": by}
        )
        await session.execute(
            text(
                "update jobs set run_at = now(), rank_at = now(), state = 'waiting' where state = 'scheduled'"
            )
        )


# ---------------------------------------------------------------- the pages
async def test_a_customer_writes_an_editor_answers_and_both_see_what_was_read(desk: Desk):
    order = await desk.order()
    customer, editor = await desk.browser(desk.shop.people.owner), await desk.browser(desk.shop.people.editor)
    page = await customer.open(f"/orders/{order.id}")
    assert "it neither changes the text nor instructs the writer" in page.text
    page = await customer.submit(page.form("message-form"), words="Is <b>June</b> possible?\nOr July?")
    assert "Sent. We write to you when there is an answer." in page.text
    assert "Is <b>June</b> possible?" in page.text
    assert "not read yet" in page.text
    assert "1 new message" in (await editor.open("/admin/orders")).text
    assert "Messages that nobody has read" in (await editor.open("/admin")).text

    seen = await editor.open(f"/admin/orders/{order.id}")
    assert "Or July?" in seen.text
    assert "Messages that nobody has read" not in (await editor.open("/admin")).text
    await editor.submit(seen.form("message-form"), words="June it is.")
    assert "1 new message" in (await customer.open("/orders")).text
    page = await customer.open(f"/orders/{order.id}")
    assert "June it is." in page.text
    assert "editor@example.com" not in page.text, "the editors have no names for customers"
    assert "not read yet" not in page.text
    assert "new message" not in (await customer.open("/orders")).text
    async with desk.database.transaction() as session:
        deeds = await session.scalars(
            select(AuditEntry.action).where(AuditEntry.action == "order.message_written")
        )
        assert len(deeds.all()) == 1


async def test_what_cannot_be_sent_is_shown_again_with_the_reason(desk: Desk):
    order = await desk.order()
    customer = await desk.browser(desk.shop.people.owner)
    form = (await customer.open(f"/orders/{order.id}")).form("message-form")
    empty = await customer.submit(form, words="   ")
    assert (empty.status, "Write a message." in empty.text) == (422, True)
    # However much it is, the same limit is named.
    long = await customer.submit(form, words="a" * (25 * MAX_WORDS))
    assert (long.status, "Shorten the message to 2,000 characters" in long.text) == (422, True)
    assert "a" * (25 * MAX_WORDS) in long.html


async def test_a_stranger_can_neither_read_nor_write(desk: Desk):
    order = await desk.order()
    await say(desk, C, "A secret wish")
    own = (await (await desk.browser(desk.shop.people.owner)).open(f"/orders/{order.id}")).form(
        "message-form"
    )
    stranger = await desk.browser(desk.shop.people.stranger)
    for path in (f"/orders/{order.id}/messages", f"/admin/orders/{order.id}/messages"):
        assert (await stranger.open(path)).status == 404
    assert (await stranger.submit(own, words="Hello")).status in {403, 404}
    async with desk.database.transaction() as session:
        with pytest.raises(NotFound):
            await write_message(session, order.id, desk.shop.people.stranger, C, "Hello")


async def test_without_scripts_a_message_is_written_on_a_page_that_stays(desk: Desk):
    order = await desk.order()
    async with desk.database.transaction() as session:
        await session.execute(text("update orders set status = 'PROCESSING'"))
    customer = await desk.browser(desk.shop.people.owner)
    page = await customer.open(f"/orders/{order.id}")
    page = await customer.open(page.link("Write to the editors"))
    assert "refresh" not in page.html.partition("</head>")[0]
    page = await customer.submit(page.form("message-form"), words="How long will it take?")
    assert "How long will it take?" in page.text


# ---------------------------------------------------------------- limits
async def test_a_side_has_twenty_messages_a_day(desk: Desk):
    for number in range(PER_DAY):
        await say(desk, C, f"Message {number}")
    with pytest.raises(Invalid, match="problem"):
        await say(desk, C)
    await say(desk, E, "We have read them all.")
    async with desk.database.transaction() as session:
        await session.execute(text("update orders_messages set at = at - interval '25 hours'"))
    await say(desk, C)


async def test_a_message_that_is_sent_twice_at_once_is_one(desk: Desk):
    first, second = await asyncio.gather(say(desk, C), say(desk, C))
    assert first.id == second.id
    async with desk.database.transaction() as session:
        await session.execute(text("update orders_messages set at = at - interval '2 minutes'"))
    assert (await say(desk, C)).id != first.id, "said again later, it is another one"


async def test_twenty_one_at_once_are_twenty(desk: Desk):
    outcomes = await asyncio.gather(
        *(say(desk, C, f"{number}") for number in range(PER_DAY + 1)), return_exceptions=True
    )
    assert sum(isinstance(one, Invalid) for one in outcomes) == 1
    assert sum(isinstance(one, Message) for one in outcomes) == PER_DAY


@pytest.mark.parametrize(("days", "is_open"), [(29, True), (31, False)])
async def test_a_failed_order_is_closed_after_thirty_days(desk: Desk, days: int, is_open: bool):
    async with desk.database.transaction() as session:
        await session.execute(
            text(
                "update orders set status = 'FAILED', fail_reason = 'rejected',"
                " updated_at = now() - make_interval(days => :days)"
            ),
            {"days": days},
        )
    page = await (await desk.browser(desk.shop.people.owner)).open(f"/orders/{(await desk.order()).id}")
    assert ("its messages are closed" in page.text) is not is_open
    if is_open:
        await say(desk, C)
    else:
        with pytest.raises(Conflict):
            await say(desk, C)


# ---------------------------------------------------------------- letters
async def test_many_messages_are_one_letter_until_a_quarter_of_an_hour_has_passed(desk: Desk):
    staff = [("admin_message", "admin@example.com"), ("admin_message", "editor@example.com")]
    await say(desk, C)
    assert await told(desk) == staff
    await say(desk, C, "Or a little sooner?")
    await say(desk, C, "Tomorrow is fine as well.")
    assert await told(desk) == staff
    await later(desk)
    assert await told(desk) == [*staff, *staff]
    await later(desk)
    assert await told(desk) == [*staff, *staff], "nothing new was written"


async def test_what_was_read_in_time_needs_no_letter(desk: Desk):
    await say(desk, E)
    async with desk.database.transaction() as session:
        assert await mark_read(session, (await desk.order()).id, C) == 1
    assert await told(desk) == []


async def test_both_sides_are_told_of_the_others_messages_only(desk: Desk):
    await say(desk, E)
    assert await told(desk) == [("new_message", "owner@example.com")]


async def test_a_letter_is_written_once_however_many_workers_write_it(desk: Desk):
    await say(desk, E)
    order_id = (await desk.order()).id

    async def tell() -> bool:
        async with desk.database.transaction() as session:
            return await tell_of_messages(session, desk.world.settings, order_id, C)

    assert sum(await asyncio.gather(*(tell() for _ in range(5)))) == 1
    assert await told(desk) == [("new_message", "owner@example.com")]


async def test_a_message_that_comes_while_the_letter_is_written_is_told_too(desk: Desk):
    for _ in range(3):
        newest, _ = await asyncio.gather(say(desk, E), told(desk))
        await later(desk)
        await told(desk)
        key = f"new_message:{newest.order_id}:{newest.id}"
        async with desk.database.transaction() as session:
            letters = select(EmailMessage.id).where(EmailMessage.key == key)
            assert len((await session.scalars(letters)).all()) == 1


# ---------------------------------------------------------------- cost
async def test_the_list_of_orders_counts_messages_without_asking_for_each(desk: Desk):
    await desk.fill_queue(10)
    owner = desk.shop.people.owner
    async with desk.database.transaction() as session:
        order_id = (await desk.order()).id
        for _ in range(3):
            session.add(
                Message(order_id=order_id, side=E, author_id=desk.shop.people.editor.id, words="x", at=now())
            )
    async with desk.database.transaction() as session, counting(desk.database) as sent:
        rows = (await orders_of(session, owner.id)).items
    assert len(sent) == 1
    assert {row.id: row.unread for row in rows}[order_id] == 3
    assert sum(row.unread for row in rows) == 3


async def test_messages_change_neither_the_text_nor_the_order(desk: Desk):
    before = await desk.order()
    await say(desk, C, "Write it again, with more praise of my shop!")
    await run_everything(desk.world)
    after = await desk.order()
    assert (after.status, after.generation, after.version_id) == (
        OrderStatus.QUALITY_CHECK,
        before.generation,
        before.version_id,
    )
