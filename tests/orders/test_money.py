"""What admins see of money: sums, margins, disputes and differences; and how they find orders and people."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from models.accounts.audit import history_of
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Conflict, Invalid
from models.mail.tables import EmailMessage
from models.orders.desk.money import Period, beginnings, ledger, money_of_orders
from models.orders.desk.search import search
from models.orders.tables import Order
from models.orders.truths import keep_verdicts, verdicts
from models.payments.differences import differences, open_differences, understand
from models.payments.states import RefundState
from models.payments.tables import Checkout, Difference, Dispute, Refund
from models.usage.rules import CallState
from models.usage.tables import ModelCallRow
from tasks.world import World
from tests.orders.desk import Desk, open_desk
from tests.orders.selling import counting

BOOKS = "Stripe's books differ from ours"


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A desk at which the shop's first order stands, paid with 49 dollars."""
    async with open_desk(world) as one:
        await one.written()
        yield one


async def make_live(desk: Desk, *, refunded: int = 0, lost: int = 0, model_cents: str = "0") -> Checkout:
    """The shop's order as a live one, some of its money gone again."""
    order = await desk.order()
    async with desk.database.transaction() as session:
        await session.execute(update(Order).where(Order.id == order.id).values(is_test=False))
        values = {"is_live": True, "refunded_cents": refunded, "paid_at": now(), "captured_cents": 4900}
        await session.execute(update(Checkout).where(Checkout.id == order.checkout_id).values(values))
        checkout = await session.get_one(Checkout, order.checkout_id, populate_existing=True)
        if refunded:
            session.add(
                Refund(
                    checkout_id=checkout.id,
                    kind="goodwill",
                    amount_cents=refunded,
                    currency="usd",
                    state=RefundState.SUCCEEDED,
                    stripe_id="re_1234",
                    settled_at=now(),
                )
            )
        if lost:
            session.add(
                Dispute(
                    checkout_id=checkout.id,
                    stripe_id="dp_1234",
                    status="lost",
                    amount_cents=lost,
                    currency="usd",
                    closed_at=now(),
                )
            )
        session.add(
            ModelCallRow(
                subject=f"order/{order.id}",
                kind="place_backlink",
                attempt=1,
                provider="p",
                model="m",
                request_sha256="0",
                state=CallState.OK,
                reserved_cents=Decimal(9),
                cost_cents=Decimal(model_cents),
                started_at=now(),
                finished_at=now(),
            )
        )
    return checkout


# ---------------------------------------------------------------- sums
def test_periods_begin_where_the_calendar_says() -> None:
    at = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    assert beginnings(Period.DAY, at)[-2:] == [datetime(2026, 3, day, tzinfo=UTC) for day in (3, 4)]
    assert beginnings(Period.WEEK, at)[-1] == datetime(2026, 3, 2, tzinfo=UTC)
    assert beginnings(Period.MONTH, at)[0] == datetime(2025, 4, 1, tzinfo=UTC)
    assert beginnings(Period.MONTH, at)[-1] == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("period", list(Period))
async def test_test_orders_are_never_revenue(desk: Desk, period: Period) -> None:
    async with desk.database.transaction() as session:
        book = await ledger(session, period, now())
        assert (await money_of_orders(session)).items == []
        assert len((await money_of_orders(session, is_test=True)).items) == 1
    assert book.accounts == []
    assert [(one.currency, one.total.taken) for one in book.tests] == [("usd", 4900)]


@pytest.mark.parametrize("period", list(Period))
async def test_revenue_is_what_live_payments_brought_and_did_not_go_back(desk: Desk, period: Period) -> None:
    await make_live(desk, refunded=1000, lost=400, model_cents="12.6")
    async with desk.database.transaction() as session:
        book = await ledger(session, period, now() + timedelta(seconds=1))
        (order,) = (await money_of_orders(session)).items
    (account,) = book.accounts
    assert (account.total.taken, account.total.given_back, account.total.lost) == (4900, 1000, 400)
    assert (account.total.revenue, account.margin) == (3500, 3487)
    assert account.periods[-1][1].revenue == 3500
    assert book.live_model_cents == Decimal("12.6")
    assert (order.revenue, order.model_cents, order.margin) == (3500, Decimal("12.6"), 3487)


async def test_a_margin_is_not_told_across_currencies(desk: Desk) -> None:
    checkout = await make_live(desk, model_cents="12")
    async with desk.database.transaction() as session:
        euros = {"captured_currency": "eur", "currency": "eur"}
        await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(euros))
        book = await ledger(session, Period.DAY, now())
        (order,) = (await money_of_orders(session)).items
    assert [(one.currency, one.margin) for one in book.accounts] == [("eur", None)]
    assert order.margin is None


async def test_the_page_tells_it_and_costs_the_same_for_many_orders(desk: Desk) -> None:
    await make_live(desk, refunded=1000, model_cents="12")
    admin = await desk.browser(desk.admin)
    async with counting(desk.database) as few:
        page = (await admin.open("/admin/money")).response.text
    assert "$39.00" in page
    assert "Show the numbers" in page
    await desk.fill_queue(8)
    async with counting(desk.database) as many:
        assert (await admin.open("/admin/money?mode=test&per=week")).response.status_code == 200
    assert len(many) == len(few)


async def test_the_export_has_every_order_and_runs_no_formula(desk: Desk) -> None:
    await make_live(desk, refunded=1000, model_cents="12")
    await desk.fill_queue(3)
    async with desk.database.transaction() as session:
        owner = desk.shop.people.owner.id
        await session.execute(update(Person).where(Person.id == owner).values(email="=cmd@example.com"))
    admin = await desk.browser(desk.admin)
    answer = (await admin.open("/admin/money/orders.csv")).response
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 4
    assert {row["customer"] for row in rows} == {"'=cmd@example.com"}
    live = next(row for row in rows if row["is_test"] == "false")
    assert (live["taken"], live["given_back"], live["revenue"]) == ("49.00", "10.00", "39.00")
    assert (live["model_cost_usd"], live["margin"]) == ("0.1200", "38.88")
    async with desk.database.transaction() as session:
        assert [one.action for one in await history_of(session, "money/orders")] == ["money.exported"]


@pytest.mark.parametrize(
    "place",
    ["", "/orders.csv", "/disputes", "/differences", "/differences/0196f0e0-0000-7000-8000-000000000000"],
)
async def test_an_editor_sees_no_money(desk: Desk, place: str) -> None:
    editor = await desk.browser(desk.shop.people.editor)
    assert (await editor.open(f"/admin/money{place}")).response.status_code == 404


async def test_disputes_are_listed_with_their_orders(desk: Desk) -> None:
    await make_live(desk, lost=4900)
    page = (await (await desk.browser(desk.admin)).open("/admin/money/disputes")).response.text
    assert "dp_1234" in page
    assert f"G-{(await desk.order()).number}" in page


# ---------------------------------------------------------------- differences
async def differing(desk: Desk) -> Difference:
    async with desk.database.transaction() as session:
        one = Difference(
            id=new_id(), stripe_id="cs_1", what="unknown payment", words="cs_1 is not known here."
        )
        session.add(one)
    return one


async def books_broken(desk: Desk) -> bool:
    async with desk.database.transaction() as session:
        found = await verdicts(session)
        await keep_verdicts(session, found, now())
        return not next(one for one in found if one.truth == BOOKS).is_kept


async def test_a_difference_is_on_the_first_page_until_somebody_has_understood_it(desk: Desk) -> None:
    admin = await desk.browser(desk.admin)
    assert not await books_broken(desk)
    one = await differing(desk)
    assert await books_broken(desk)
    assert "cs_1 is not known here." in (await admin.open("/admin")).response.text

    place = f"/admin/money/differences/{one.id}"
    screen = await admin.submit((await admin.open(place)).form(f"{place}/understanding"), reason=" ")
    assert screen.response.status_code == 422
    screen = await admin.submit(screen.form(f"{place}/understanding"), reason="Made by hand for a friend.")
    assert "Made by hand for a friend." in screen.response.text
    assert not await books_broken(desk)
    async with desk.database.transaction() as session:
        (entry,) = await history_of(session, f"difference/{one.id}")
        assert await open_differences(session) == 0
        assert (await differences(session)).items[0].understood_by == desk.admin.email
    assert (entry.action, entry.actor_id) == ("difference.understood", desk.admin.id)


async def test_a_difference_is_understood_once_and_with_a_reason(desk: Desk) -> None:
    one = await differing(desk)
    async with desk.database.transaction() as session:
        with pytest.raises(Invalid):
            await understand(session, one.id, desk.admin, "  ")
        await understand(session, one.id, desk.admin, "Known.")
        with pytest.raises(Conflict):
            await understand(session, one.id, desk.admin, "Known.")


# ---------------------------------------------------------------- search
async def test_everything_that_names_an_order_finds_it(desk: Desk) -> None:
    await make_live(desk, refunded=100, lost=100)
    order = await desk.order()
    async with desk.database.transaction() as session:
        names = {"session_id": "cs_test_abcd", "payment_intent_id": "pi_abcd", "charge_id": "ch_abcd"}
        await session.execute(update(Checkout).where(Checkout.id == order.checkout_id).values(names))
        host = order.target_url.split("/")[2]
        owner = desk.shop.people.owner.email
        for query in (
            f"G-{order.number}",
            str(order.number),
            owner,
            host,
            *names.values(),
            "re_1234",
            "dp_1234",
        ):
            found = await search(session, f" {query} ", with_people=True)
            assert [one.id for one in found.orders] == [order.id], query
        assert [one.checkout.id for one in (await search(session, "pi_abcd", with_people=True)).payments] == [
            order.checkout_id
        ]
        assert (await search(session, "pi_other", with_people=True)).is_empty
        assert (await search(session, "", with_people=True)).is_empty


async def test_editors_find_orders_and_no_people(desk: Desk) -> None:
    owner = desk.shop.people.owner
    admin, editor = await desk.browser(desk.admin), await desk.browser(desk.shop.people.editor)
    place = f"/admin/people/{owner.id}"
    assert place in (await admin.open(f"/admin/search?q={owner.email}")).response.text
    seen = (await editor.open(f"/admin/search?q={owner.email}")).response.text
    assert place not in seen
    assert f"/admin/orders/{(await desk.order()).id}" in seen
    assert (await editor.open(place)).response.status_code == 404


async def test_the_page_of_a_customer_has_their_orders_payments_and_letters(desk: Desk) -> None:
    owner = desk.shop.people.owner
    await desk.browser(owner)
    async with desk.database.transaction() as session:
        secret = {"kind": "accounts.sign_in", "subject": "123 456 is your sign-in code"}
        session.add(EmailMessage(key="k", to_address=owner.email, facts={}, **secret))
    admin = await desk.browser(desk.admin)
    async with counting(desk.database) as few:
        page = (await admin.open(f"/admin/people/{owner.id}")).response.text
    assert f"/admin/orders/{(await desk.order()).id}" in page
    assert "1 browser" in page
    assert "orders.backlink_ready" in page
    assert "accounts.sign_in" in page
    assert "123 456" not in page
    await desk.fill_queue(5)
    async with counting(desk.database) as many:
        page = (await admin.open(f"/admin/people/{owner.id}")).response.text
    assert len(many) == len(few)
    async with desk.database.transaction() as session:
        assert len((await session.scalars(select(Order.id))).all()) == 6
