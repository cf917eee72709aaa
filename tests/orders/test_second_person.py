"""Refunds that are too large for one person: asked for by one, done by another, once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from infra.local.visitor import Browser
from models.accounts.states import Role
from models.accounts.tables import AuditEntry, Person
from models.base.clock import now
from models.base.errors import Conflict, Forbidden
from models.base.settings.selling import RefundSettings
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage
from models.orders.desk.second_person import confirm, decline, refund_or_ask, reject_or_ask, waiting_requests
from models.orders.reviewing import approve
from models.orders.states import OrderStatus
from models.orders.tables import Order
from models.payments.states import PaymentState, RequestState
from models.payments.tables import Refund, RefundRequest
from tasks.world import World
from tests.orders.desk import Desk, open_desk

ASKED = "so large a refund wants a second person"


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A desk where more than 40 dollars want a second person; the shop's order costs 49."""
    refunds = RefundSettings(second_person_above_cents=4000)
    careful = replace(world, settings=world.settings.model_copy(update={"refunds": refunds}))
    async with open_desk(careful) as one:
        async with one.database.transaction() as session:
            session.add(Person(email="second@example.com", role=Role.ADMIN))
        yield one


async def second_admin(desk: Desk) -> Person:
    async with desk.database.transaction() as session:
        return (await session.scalars(select(Person).where(Person.email == "second@example.com"))).one()


async def published(desk: Desk) -> Order:
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.admin)
    return await desk.order()


async def rejected_by_editor(desk: Desk) -> UUID:
    """The request that stands after an editor has rejected the shop's submitted order."""
    order = await desk.submitted()
    async with desk.database.transaction() as session:
        editor = desk.shop.people.editor
        assert not await reject_or_ask(session, desk.world.settings, order.id, editor, "Not for us.")
        (waiting,) = await waiting_requests(session)
    return waiting.id


async def refunds(desk: Desk) -> list[Refund]:
    async with desk.database.transaction() as session:
        return list((await session.scalars(select(Refund))).all())


async def deeds(desk: Desk) -> list[tuple[str, UUID | None]]:
    query = select(AuditEntry.action, AuditEntry.actor_id).where(AuditEntry.subject.startswith("order/"))
    async with desk.database.transaction() as session:
        return [(action, actor) for action, actor in await session.execute(query.order_by(AuditEntry.id))]


# ---------------------------------------------------------------- the story, on pages
async def test_one_admin_asks_and_another_confirms(desk: Desk) -> None:
    order = await published(desk)
    here = f"/admin/orders/{order.id}"
    first = await desk.browser(desk.admin)
    screen = await first.submit((await first.open(f"{here}/refund")).form(f"{here}/refund"), reason="Sorry.")
    assert ASKED in screen.response.text
    assert "A refund waits for a second person" in screen.response.text
    assert await refunds(desk) == []
    assert (await desk.order()).payment_state is PaymentState.PAID

    async with desk.database.transaction() as session:
        (waiting,) = await waiting_requests(session)
    place = f"/admin/refund-requests/{waiting.id}"
    assert "You asked for this" in (await first.open(place)).response.text

    second = await desk.browser(await second_admin(desk))
    assert place in (await second.open("/admin")).response.text
    screen = await second.submit((await second.open(place)).form(f"{place}/confirmation"))
    assert "Confirmed. The refund is on its way." in screen.response.text
    (refund,) = await refunds(desk)
    assert (refund.amount_cents, refund.kind) == (4900, "goodwill")
    assert place not in (await second.open("/admin")).response.text


async def test_a_declined_refund_is_not_made_and_can_be_asked_for_again(desk: Desk) -> None:
    order = await published(desk)
    here = f"/admin/orders/{order.id}/refund"
    first, second = await desk.browser(desk.admin), await desk.browser(await second_admin(desk))
    await first.submit((await first.open(here)).form(here), reason="Sorry.")
    async with desk.database.transaction() as session:
        (waiting,) = await waiting_requests(session)
    place = f"/admin/refund-requests/{waiting.id}"
    screen = await second.submit((await second.open(place)).form(f"{place}/refusal"), reason="")
    assert screen.response.status_code == 422
    assert "Say why not" in screen.response.text
    await second.submit(screen.form(f"{place}/refusal"), reason="The link is there.")
    assert await refunds(desk) == []
    assert [action for action, _ in await deeds(desk)][-2:] == [
        "order.refund_asked_for",
        "order.refund_declined",
    ]
    screen = await first.submit((await first.open(here)).form(here), reason="Really.")
    assert ASKED in screen.response.text


async def test_an_old_sign_in_does_not_confirm(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    tired = await desk.browser(desk.admin, signed_in=timedelta(minutes=11))
    place = f"/admin/refund-requests/{request_id}"
    answer = await tired.client.post(
        f"{place}/confirmation", data={"_csrf_token": await token_of(tired)}, headers=await origin(desk)
    )
    assert answer.status_code == 303
    assert await refunds(desk) == []


async def token_of(browser: Browser) -> str:
    screen = await browser.open("/account")
    return str(next(form.fields["_csrf_token"] for form in screen.forms if "_csrf_token" in form.fields))


async def origin(desk: Desk) -> dict[str, str]:
    return {"Origin": desk.site.base_url}


async def test_an_editor_sees_no_request(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    browser = await desk.browser(desk.shop.people.editor)
    assert (await browser.open(f"/admin/refund-requests/{request_id}")).response.status_code == 404
    assert "Not for us." in (await browser.open("/admin")).response.text


# ---------------------------------------------------------------- rejecting
async def test_a_large_rejection_waits_and_its_customer_sees_and_hears_nothing(desk: Desk) -> None:
    before = await letters(desk)
    request_id = await rejected_by_editor(desk)
    order = await desk.order()
    assert (order.status, order.payment_state) == (OrderStatus.ADMIN_REVIEW, PaymentState.PAID)
    assert await refunds(desk) == []
    customer = await desk.browser(desk.shop.people.owner)
    page = (await customer.open(f"/orders/{order.id}")).response.text
    assert "Not for us." not in page
    assert "refund" not in page.lower().replace("refunded while", "")
    assert {kind for kind in await letters(desk) - before if "failed" in kind or "refund" in kind} == set()

    async with desk.database.transaction() as session:
        await confirm(session, desk.world.settings, request_id, desk.admin)
    assert (await desk.order()).status is OrderStatus.FAILED
    assert len(await refunds(desk)) == 1
    assert "orders.order_failed" in await letters(desk)
    done = await deeds(desk)
    assert ("order.refund_asked_for", desk.shop.people.editor.id) in done
    assert ("order.refund_confirmed", desk.admin.id) in done


async def letters(desk: Desk) -> set[str]:
    async with desk.database.transaction() as session:
        return set((await session.scalars(select(EmailMessage.kind))).all())


async def test_a_small_refund_needs_nobody_else(desk: Desk) -> None:
    order = await desk.submitted()
    relaxed = desk.world.settings.model_copy(
        update={"refunds": RefundSettings(second_person_above_cents=4900)}
    )
    async with desk.database.transaction() as session:
        assert await reject_or_ask(session, relaxed, order.id, desk.shop.people.editor, "Not for us.")
    assert len(await refunds(desk)) == 1


async def test_an_admin_who_is_alone_is_not_locked_out(desk: Desk) -> None:
    order = await published(desk)
    async with desk.database.transaction() as session:
        (await session.get_one(Person, (await second_admin(desk)).id)).disabled_at = now()
    async with desk.database.transaction() as session:
        assert await refund_or_ask(session, desk.world.settings, order.id, desk.admin, "Goodwill.")
    assert len(await refunds(desk)) == 1


async def test_what_was_published_meanwhile_cannot_be_rejected_by_an_old_request(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    order = await desk.order()
    async with desk.database.transaction() as session:
        await approve(session, desk.world.settings, order.id, desk.admin)
    with pytest.raises(Conflict):
        async with desk.database.transaction() as session:
            await confirm(session, desk.world.settings, request_id, desk.admin)
    assert await refunds(desk) == []
    async with desk.database.transaction() as session:
        assert [one.id for one in await waiting_requests(session)] == [request_id]


# ---------------------------------------------------------------- who may not
async def test_whoever_asked_can_neither_confirm_nor_decline(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    async with desk.database.transaction() as session:
        editor = desk.shop.people.editor.id
        await session.execute(update(Person).where(Person.id == editor).values(role=Role.ADMIN))
        asker = await session.get_one(Person, editor, populate_existing=True)
    with pytest.raises(Forbidden):
        async with desk.database.transaction() as session:
            await confirm(session, desk.world.settings, request_id, asker)
    with pytest.raises(Forbidden):
        async with desk.database.transaction() as session:
            await decline(session, request_id, asker, "No.")


async def test_an_editor_is_no_second_person(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    async with desk.database.transaction() as session:
        other = Person(email="other-editor@example.com", role=Role.EDITOR)
        session.add(other)
    with pytest.raises(Forbidden):
        async with desk.database.transaction() as session:
            await confirm(session, desk.world.settings, request_id, other)


# ---------------------------------------------------------------- races
async def test_ten_confirmations_at_once_refund_once(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    admins = [desk.admin, await second_admin(desk)]

    async def press(person: Person) -> None:
        async with desk.database.transaction() as session:
            await confirm(session, desk.world.settings, request_id, person)

    ends = await asyncio.gather(*(press(admins[n % 2]) for n in range(10)), return_exceptions=True)
    assert [end for end in ends if not isinstance(end, Conflict)] == [None]
    assert len(await refunds(desk)) == 1
    async with desk.database.transaction() as session:
        given = select(func.count()).select_from(JobRow).where(JobRow.kind == "payments.give_refund")
        assert await session.scalar(given) == 1


async def test_confirming_and_declining_at_once_is_one_of_the_two(desk: Desk) -> None:
    request_id = await rejected_by_editor(desk)
    second = await second_admin(desk)

    async def yes() -> None:
        async with desk.database.transaction() as session:
            await confirm(session, desk.world.settings, request_id, desk.admin)

    async def no() -> None:
        async with desk.database.transaction() as session:
            await decline(session, request_id, second, "No.")

    ends = await asyncio.gather(yes(), no(), return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 1
    async with desk.database.transaction() as session:
        state = (await session.scalars(select(RefundRequest.state))).one()
    assert len(await refunds(desk)) == (1 if state is RequestState.CONFIRMED else 0)


async def test_five_who_ask_at_once_ask_once(desk: Desk) -> None:
    order = await desk.submitted()

    async def press() -> None:
        async with desk.database.transaction() as session:
            await reject_or_ask(
                session, desk.world.settings, order.id, desk.shop.people.editor, "Not for us."
            )

    ends = await asyncio.gather(*(press() for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 4
    async with desk.database.transaction() as session:
        assert len(await waiting_requests(session)) == 1
