"""Deciding about orders through the pages: once, by somebody who has just shown who they are."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import orjson
import pytest
from sqlalchemy import select

from infra.local.visitor import Browser, Form, Screen
from models.accounts.tables import AuditEntry
from models.base.errors import Conflict
from models.mail.tables import EmailMessage
from models.orders.reviewing import approve, regenerate, send_back, submit
from models.orders.states import FailReason, OrderStatus
from models.orders.tables import Generation, Version
from models.orders.writing.making import fail_generation, no_more, take_up
from models.payments.states import PaymentState
from models.payments.tables import Checkout
from tasks.testing import run_everything
from tests.orders.builders import history_of, letters_of, published_text, refunds_of, versions_of
from tests.orders.desk import Desk, open_desk

STALE = timedelta(minutes=11)


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


@pytest.fixture
async def ed(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as one:
        yield one


def form_of(screen: Screen, name: str) -> Form:
    return next(form for form in screen.forms if form.action.endswith(f"/{name}"))


async def deeds(desk: Desk) -> list[str]:
    async with desk.database.transaction() as session:
        query = (
            select(AuditEntry.action).where(AuditEntry.subject.startswith("order/")).order_by(AuditEntry.id)
        )
        return list(await session.scalars(query))


async def open_order(desk: Desk, browser: Browser) -> Screen:
    return await browser.open(f"/admin/orders/{(await desk.order()).id}")


# ---------------------------------------------------------------- approving
async def test_an_editor_looks_at_the_change_and_publishes_it(desk: Desk, ed: Browser):
    order = await desk.submitted()
    screen = await ed.open((await ed.open("/admin/review")).link("What a grinder does"))
    assert screen.path == f"/admin/orders/{order.id}"
    assert "New link: burr grinders" in screen.text
    assert "Exactly one link was added" in screen.text
    screen = await ed.submit(form_of(screen, "approval"))
    assert screen.path == f"/admin/orders/{order.id}"
    assert "Published. The customer gets a letter." in screen.text
    assert (await desk.order()).status is OrderStatus.COMPLETED
    [version] = await versions_of(desk.database, order.id)
    assert await published_text(desk.database, desk.shop.article.id) == version.markdown
    assert await deeds(desk) == ["order.approved"]


async def test_pressed_twice_it_is_published_once_and_the_second_press_is_told_kindly(
    desk: Desk, ed: Browser
):
    await desk.submitted()
    form = form_of(await open_order(desk, ed), "approval")
    first, second = await asyncio.gather(ed.submit(form), ed.submit(form))
    assert sorted([first.status, second.status]) == [200, 409]
    late = first if first.status == 409 else second
    assert "That was not done" in late.text
    assert "Last: You, “approved”, a moment ago." in late.text
    assert "Published" in late.text
    assert await deeds(desk) == ["order.approved"]


async def test_of_two_editors_at_once_one_decides_and_the_other_sees_how_it_came_out(desk: Desk, ed: Browser):
    order = await desk.submitted()
    async with await desk.browser(desk.admin) as ad:
        mine, theirs = await open_order(desk, ed), await open_order(desk, ad)
        done, late = await asyncio.gather(
            ed.submit(form_of(mine, "approval")),
            ad.submit(form_of(theirs, "rejection"), reason="It does not fit the magazine."),
        )
    loser = late if late.status == 409 else done
    assert sorted([done.status, late.status]) == [200, 409]
    assert "This page shows the order as it is now" in loser.text
    status = (await desk.order()).status
    assert status in {OrderStatus.COMPLETED, OrderStatus.FAILED}
    assert len(await refunds_of(desk.database)) == (status is OrderStatus.FAILED)
    assert len([to for _, to, *_ in await history_of(desk.database, order.id) if to is status]) == 1


async def test_an_approval_of_a_version_that_was_replaced_meanwhile_is_refused(desk: Desk, ed: Browser):
    order = await desk.submitted()
    people, settings = desk.shop.people, desk.world.settings
    old_page = await open_order(desk, ed)
    async with desk.database.transaction() as session:
        await send_back(session, settings, order.id, people.editor, "Look again.")
    async with desk.database.transaction() as session:
        await regenerate(session, settings, order.id, people.owner)
    await run_everything(desk.world)
    newest = (await desk.order()).version_id
    assert newest is not None
    async with desk.database.transaction() as session:
        await submit(session, settings, order.id, newest, people.owner)
    screen = await ed.submit(form_of(old_page, "approval"))
    assert screen.status == 409
    assert "The order has changed since you opened this page" in screen.text
    assert (await desk.order()).status is OrderStatus.ADMIN_REVIEW


async def test_a_moved_article_is_shown_and_approving_places_the_link_anew(desk: Desk, ed: Browser):
    await desk.submitted()
    moved = await desk.move_article()
    screen = await open_order(desk, ed)
    assert "The article has moved since this version was made" in screen.text
    screen = await ed.submit(form_of(screen, "approval"), press="Place it anew")
    assert "the link is placed anew" in screen.text
    assert (await desk.order()).status is OrderStatus.PROCESSING
    await run_everything(desk.world)
    screen = await open_order(desk, ed)
    assert "The article has moved" not in screen.text
    await ed.submit(form_of(screen, "approval"))
    published = await published_text(desk.database, desk.shop.article.id)
    assert "A last word about kettles." in published
    assert (await desk.order()).target_url in published
    versions = await versions_of(desk.database, (await desk.order()).id)
    assert versions[-1].base_version_id == moved.id


async def test_who_has_seen_no_version_is_told_of_the_first_also_when_placing_it_anew_fails(desk: Desk):
    order = await desk.held()
    await desk.move_article()
    async with desk.database.transaction() as session:
        settings, editor = desk.world.settings, desk.shop.people.editor
        await approve(session, settings, order.id, editor)
        await fail_generation(session, settings, order.id, 2, "Every attempt failed.")
    order = await desk.order()
    assert (order.status, order.published_version_id) == (OrderStatus.QUALITY_CHECK, None)
    kinds = [kind for kind, _ in await letters_of(desk.database)]
    assert "backlink_ready" in kinds
    assert "no_other_version" not in kinds


# ---------------------------------------------------------------- sending back
async def test_sending_back_wants_a_reason_and_the_customer_reads_it(desk: Desk, ed: Browser):
    order = await desk.submitted()
    screen = await ed.submit(form_of(await open_order(desk, ed), "return"))
    assert screen.status == 422
    assert "Say why, in words that the customer will read." in screen.text
    screen = await ed.submit(form_of(screen, "return"), reason="x" * 1001)
    assert screen.status == 422
    assert "Shorten the reason" in screen.text
    assert form_of(screen, "return").fields["reason"].strip() == "x" * 1001
    screen = await ed.submit(form_of(screen, "return"), reason="The sentence repeats the heading.")
    assert "It is with the customer now, with your words." in screen.text
    now = await desk.order()
    assert (now.status, now.editor_words) == (OrderStatus.QUALITY_CHECK, "The sentence repeats the heading.")
    assert ("sent_back", desk.shop.people.owner.email) in await letters_of(desk.database)
    async with await desk.browser(desk.shop.people.owner) as ada:
        mine = await ada.open(f"/orders/{order.id}")
        assert "The editor wrote: “The sentence repeats the heading.”" in mine.text


async def test_a_held_version_is_shown_to_its_customer_with_or_without_a_note(desk: Desk, ed: Browser):
    await desk.held()
    screen = await open_order(desk, ed)
    assert "Held for an editor first" in screen.text
    assert "Send back" not in screen.text
    assert "Submitted by itself" not in screen.text
    screen = await ed.submit(form_of(screen, "return"), press="Show to the customer")
    assert "It is with the customer now." in screen.text
    order = await desk.order()
    assert (order.status, order.editor_words) == (OrderStatus.QUALITY_CHECK, None)
    assert order.review_due_at is not None
    kinds = [kind for kind, to in await letters_of(desk.database) if to == desk.shop.people.owner.email]
    assert kinds == ["request_received", "backlink_ready"]


async def test_what_was_held_once_and_submitted_since_is_sent_back_with_a_letter(desk: Desk, ed: Browser):
    await desk.held()
    await ed.submit(form_of(await open_order(desk, ed), "return"))
    order = await desk.order()
    assert order.version_id is not None
    async with desk.database.transaction() as session:
        await submit(session, desk.world.settings, order.id, order.version_id, desk.shop.people.owner)
    screen = await open_order(desk, ed)
    assert "Held for an editor first" not in screen.text
    await ed.submit(form_of(screen, "return"), reason="Please ask for another.")
    assert ("sent_back", desk.shop.people.owner.email) in await letters_of(desk.database)


# ---------------------------------------------------------------- rejecting and refunding
async def test_rejecting_shows_the_amount_wants_a_reason_and_gives_the_money_back(desk: Desk, ed: Browser):
    order = await desk.submitted()
    asking = await ed.open(f"/admin/orders/{order.id}/rejection")
    assert "$49.00 of test money goes back" in asking.text
    refused = await ed.submit(form_of(asking, "rejection"))
    assert refused.status == 422
    screen = await ed.submit(form_of(refused, "rejection"), reason="We do not link to this kind of shop.")
    assert "Rejected. The money is on its way back" in screen.text
    assert "rejected by an editor" in screen.text
    now = await desk.order()
    assert (now.status, now.fail_reason) == (OrderStatus.FAILED, FailReason.REJECTED)
    # It knows before it has followed its payment.
    assert now.payment_state is PaymentState.REFUND_PENDING
    [refund] = await refunds_of(desk.database)
    assert (refund.amount_cents, refund.kind, refund.asked_by) == (
        4900,
        "rejected",
        desk.shop.people.editor.id,
    )
    async with desk.database.transaction() as session:
        letter = (
            await session.scalars(select(EmailMessage).where(EmailMessage.kind == "orders.order_failed"))
        ).one()
    assert letter.facts["reason"] == "We do not link to this kind of shop."
    again = await ed.submit(form_of(asking, "rejection"), reason="Once more.")
    assert again.status == 409
    assert len(await refunds_of(desk.database)) == 1


async def test_an_admin_refunds_a_published_order_once_and_the_link_stays(desk: Desk):
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.shop.people.editor)
    async with await desk.browser(desk.admin) as ad:
        screen = await open_order(desk, ad)
        form = form_of(screen, "refund")
        refused = await ad.submit(form)
        assert (refused.status, "Say why. The audit log keeps it" in refused.text) == (422, True)
        first, second = await asyncio.gather(
            ad.submit(form, reason="Goodwill."), ad.submit(form, reason="Goodwill.")
        )
        assert sorted([first.status, second.status]) == [200, 409]
    [refund] = await refunds_of(desk.database)
    assert (refund.amount_cents, refund.kind, refund.asked_by) == (4900, "goodwill", desk.admin.id)
    assert (await desk.order()).status is OrderStatus.COMPLETED
    assert order.target_url in await published_text(desk.database, desk.shop.article.id)
    assert await deeds(desk) == ["order.approved", "order.refunded"]


async def test_what_is_still_under_way_cannot_be_refunded_only_rejected(desk: Desk):
    order = await desk.submitted()
    async with await desk.browser(desk.admin) as ad:
        screen = await ad.open(f"/admin/orders/{order.id}/refund")
    assert screen.status == 409
    assert await refunds_of(desk.database) == []


async def test_a_disputed_order_can_be_rejected_and_nothing_is_refunded(desk: Desk, ed: Browser):
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        checkout = await session.get_one(Checkout, order.checkout_id)
        checkout.payment_state = PaymentState.DISPUTED
        (await session.get_one(type(order), order.id)).payment_state = PaymentState.DISPUTED
    screen = await open_order(desk, ed)
    assert "This order rests" in screen.text
    assert not any(form.action.endswith("/approval") for form in screen.forms)
    assert "no refund is made" in screen.text
    await ed.submit(form_of(screen, "rejection"), reason="Disputed.")
    assert (await desk.order()).status is OrderStatus.FAILED
    assert await refunds_of(desk.database) == []


# ---------------------------------------------------------------- a recent sign-in
@pytest.mark.parametrize("name", ["approval", "rejection"])
async def test_an_old_sign_in_leads_through_signing_in_and_back_to_the_question(desk: Desk, name: str):
    order = await desk.submitted()
    editor = desk.shop.people.editor
    async with await desk.browser(editor, signed_in=STALE) as ed:
        screen = await open_order(desk, ed)
        assert "sign in again first" in screen.text
        assert not any(form.action.endswith(f"/{name}") for form in screen.forms)
        token = form_of(screen, "return").fields["_csrf_token"]
        # A page that was open for too long sends its form all the same.
        told = {
            "_csrf_token": token,
            "reason": "Not in our magazine.",
            "seen": str(order.submitted_version_id),
        }
        screen = await ed.send(f"/admin/orders/{order.id}/{name}", "post", told)
        assert screen.path == "/sign-in"
        assert (await desk.order()).status is OrderStatus.ADMIN_REVIEW
        code = await ed.submit(screen.form("/sign-in"), email=editor.email)
        screen = await ed.submit(code.form("/sign-in/code"), code=await _code(desk, editor.email))
        assert screen.path == f"/admin/orders/{order.id}/{name}"
        form = form_of(screen, name)
        assert form.fields["seen"] == str(order.submitted_version_id)
        if name == "rejection":
            assert form.fields["reason"].strip() == "Not in our magazine."
        await ed.submit(form)
    assert (await desk.order()).status in {OrderStatus.COMPLETED, OrderStatus.FAILED}


async def _code(desk: Desk, address: str) -> str:
    query = select(EmailMessage).where(
        EmailMessage.to_address == address, EmailMessage.kind == "accounts.sign_in"
    )
    async with desk.database.transaction() as session:
        letter = (await session.scalars(query.order_by(EmailMessage.id.desc()).limit(1))).one()
    assert letter.sealed_facts is not None
    return str(orjson.loads(desk.world.keys.unseal(letter.sealed_facts))["code"])


async def test_sending_back_and_looking_need_no_new_sign_in(desk: Desk):
    await desk.submitted()
    async with await desk.browser(desk.shop.people.editor, signed_in=STALE) as ed:
        screen = await ed.submit(form_of(await open_order(desk, ed), "return"), reason="Please look again.")
    assert urlsplit(str(screen.response.url)).path.startswith("/admin/orders/")
    assert (await desk.order()).status is OrderStatus.QUALITY_CHECK


# ---------------------------------------------------------------- nobody waits for ever
async def test_after_no_other_place_was_found_the_customer_has_a_deadline_again(desk: Desk):
    order = await desk.written()
    async with desk.database.transaction() as session:
        await regenerate(session, desk.world.settings, order.id, desk.shop.people.owner)
    async with desk.database.transaction() as session:
        generation = (await session.scalars(select(Generation).where(Generation.state == "active"))).one()
        brief = await take_up(session, order.id, generation.number)
    async with desk.database.transaction() as session:
        await no_more(
            session, desk.world.settings, brief.order_id, brief.generation, "There is no other place."
        )
    order = await desk.order()
    assert order.status is OrderStatus.QUALITY_CHECK
    assert order.review_due_at is not None
    assert order.submitted_version_id is None


async def test_the_rules_themselves_refuse_a_decision_about_another_version(desk: Desk):
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        other = (await session.scalars(select(Version.id).where(Version.order_id.is_(None)))).one()
    with pytest.raises(Conflict):
        async with desk.database.transaction() as session:
            await approve(session, desk.world.settings, order.id, desk.shop.people.editor, seen=other)
