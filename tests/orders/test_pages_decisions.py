"""What a customer decides on the page of an order, also twice, too late, or from a page that is out of date."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from infra.local.visitor import Browser, Screen
from models.base.clock import now
from models.jobs.progress import Line, Progress, publish
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.orders.jobs import IntegrateBacklink
from models.orders.states import OrderStatus
from models.orders.tables import Draft, Generation, Order
from models.orders.writing.making import create_order
from models.payments.tables import Checkout
from tests.orders.selling import ANCHOR, Shop

DONE = ["event:", "done", "data:", "done"]


@pytest.mark.slow
async def test_pressing_regenerate_twice_shows_that_one_is_being_written(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        form = order.form("regeneration")
        first = await ada.submit(form, reason="too_early")
        assert "Writing another version" in first.text
        second = await ada.submit(form, reason="too_early")
        assert second.status == 200
        assert "A new version is being made already." in second.text
        await shop.work()
        done = await ada.open(order.path)
        assert "Version 2" in done.text
        assert "asked for because: the link is placed too early" in done.text


@pytest.mark.slow
async def test_who_asks_for_another_version_too_soon_is_told_how_long_to_wait(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        await ada.submit(order.form("regeneration"))
        await shop.work()
        order = await ada.open(order.path)
        assert order.form("regeneration").buttons, "of a page that stands open nobody would give it back"
        refused = await ada.submit(order.form("regeneration"))
        assert refused.status == 409
        assert "Another version can be asked for in" in refused.text
        assert refused.heading == "Order G-1001"


@pytest.mark.slow
async def test_after_the_last_version_of_a_day_the_page_says_from_when_on_there_is_another(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        order_id, asked_at = await shop.order_id(), now() - timedelta(hours=1)
        async with shop.database.transaction() as session:
            session.add_all(
                Generation(
                    order_id=order_id, number=number, state="failed", cause="regenerate", created_at=asked_at
                )
                for number in range(2, 2 + shop.site.settings.orders.regenerations_per_day)
            )
        order = await ada.open(order.path)
        assert not order.form("regeneration").buttons
        assert f"from {asked_at + timedelta(days=1):%-d %b %Y, %H:%M} UTC on" in order.text


async def test_a_stale_page_does_not_choose_over_a_newer_version(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        stale = order.form("submission")
        await ada.submit(order.form("regeneration"))
        await shop.work()
        refused = await ada.submit(stale)
        assert refused.status == 409
        assert "A newer version has been made since you opened this page" in refused.text
        assert "Version 2" in refused.text
        assert await _status(shop) is OrderStatus.QUALITY_CHECK


@pytest.mark.slow
async def test_submitting_twice_shows_that_the_editor_has_it(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        form = order.form("submission")
        await ada.submit(form)
        again = await ada.submit(form)
        assert again.status == 200
        assert "The editor has your version" in again.text


@pytest.mark.slow
async def test_a_version_of_another_order_cannot_be_submitted(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        form = order.form("submission")
        fields = {**form.fields, "version_id": str(uuid4())}
        refused = await ada.send(form.action, "post", fields)
        assert refused.status == 404
        assert "no such version" in refused.text
        nothing = await ada.send(form.action, "post", {"_csrf_token": form.fields["_csrf_token"]})
        assert nothing.status == 422
        assert "Choose the version" in nothing.text


async def test_an_order_can_be_cancelled_until_work_begins_and_the_refund_is_followed(shop: Shop):
    async with shop.site.browser() as ada:
        draft = await shop.sign_in(ada, await shop.order_form(ada))
        await shop.work()
        await shop.pay(ada, await ada.open(draft.path))
        order = await _order_before_work(shop, ada)
        assert "Waiting for a free writer" in order.text
        cancelled = await ada.submit(order.form("Cancel and refund"))
        assert "You cancelled this order before work began." in cancelled.text
        assert "Refund on its way" in cancelled.text
        await shop.work()
        done = await ada.open(order.path)
        assert "Refunded" in done.text
        assert "\N{MINUS SIGN}$199.00" in done.text
        again = await ada.submit(order.form("Cancel and refund"))
        assert again.status == 409


async def _order_before_work(shop: Shop, ada: Browser) -> Screen:
    """The order as it is between the payment's arrival and the writer's first move."""
    async with shop.database.transaction() as session:
        checkout = (await session.scalars(select(Checkout))).one()
        await create_order(
            session, shop.world.settings, (await session.scalars(select(Draft.id))).one(), checkout.id
        )
    return await ada.open(f"/orders/{await shop.order_id()}")


async def _status(shop: Shop) -> OrderStatus:
    async with shop.database.transaction() as session:
        return (await session.scalars(select(Order.status))).one()


# ---------------------------------------------------------------- while the writer works
async def _paid_order(shop: Shop, ada: Browser) -> Screen:
    draft = await shop.sign_in(ada, await shop.order_form(ada))
    await shop.work()
    await shop.pay(ada, await ada.open(draft.path))
    return await _order_before_work(shop, ada)


async def _job(shop: Shop, **values: Any) -> JobRow:
    query = update(JobRow).where(JobRow.kind == IntegrateBacklink.kind).values(values).returning(JobRow)
    async with shop.database.transaction() as session:
        return (await session.scalars(query)).one()


async def test_the_page_follows_the_writer_and_knows_its_row_when_the_news_is_lost(shop: Shop):
    async with shop.site.browser() as ada:
        order = await _paid_order(shop, ada)
        assert "Next in line" in order.text
        assert "You can close this page" in order.text
        job = await _job(
            shop, state=JobState.ACTIVE, attempt=1, started_at=now(), done=1, total=4, words="As the row says"
        )
        shown = Progress(job.id, 1, 3, 2, 4, "Checking the result", now(), [Line(now(), "23 checks passed")])
        await publish(shop.world.redis, [(shown, None)])
        order = await ada.open(order.path)
        assert "Checking the result." in order.text
        assert "23 checks passed" in order.text
        assert 'value="50"' in order.html
        assert "Cancel and refund" in order.text, "the writer has not taken it up yet"
        await shop.world.redis.flushall()
        order = await ada.open(order.path)
        assert "As the row says." in order.text
        assert 'value="25"' in order.html


async def test_a_failed_attempt_says_that_another_one_comes(shop: Shop):
    async with shop.site.browser() as ada:
        order = await _paid_order(shop, ada)
        again_at = now() + timedelta(minutes=1)
        await _job(
            shop, state=JobState.SCHEDULED, attempt=1, started_at=now(), run_at=again_at, done=1, total=4
        )
        order = await ada.open(order.path)
        assert "Trying again" in order.text
        assert "Attempt 2 of 3" in order.text
        await _job(shop, state=JobState.CANCELLED)


async def test_a_text_that_an_editor_must_see_first_is_not_shown(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        async with shop.database.transaction() as session:
            await session.execute(update(Order).values(status=OrderStatus.ADMIN_REVIEW, held_at=now()))
        order = await ada.open(order.path)
        assert "An editor looks at your text first" in order.text
        assert f"New link: {ANCHOR}" not in order.text


async def test_a_letter_that_came_back_is_told(shop: Shop):
    async with shop.site.browser() as ada:
        order = await shop.buy(ada)
        async with shop.database.transaction() as session:
            ready = EmailMessage.kind == "orders.backlink_ready"
            await session.execute(update(EmailMessage).where(ready).values(state=LetterState.BOUNCED))
        assert "came back: your mailbox did not take it" in (await ada.open(order.path)).text


@pytest.mark.slow
async def test_the_stream_of_an_order_that_is_over_says_its_last_and_ends(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as eve:
        order = await _paid_order(shop, ada)
        await ada.submit(order.form("Cancel and refund"))
        await shop.work()
        told = (await ada.client.get(f"{order.path}/events")).text
        assert 'id="order"' in told
        assert told.split()[-4:] == DONE
        await shop.site.sign_in(eve, "eve@example.com")
        assert (await eve.client.get(f"{order.path}/events")).text.split() == DONE
