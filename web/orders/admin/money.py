"""Money for admins: what came in and went back, the margin of each order, disputes, and differences with Stripe."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.base.clock import now
from models.base.db import Database
from models.base.errors import Conflict, Invalid, NotFound
from models.orders.desk.money import (
    MODEL_CURRENCY,
    SHOWN,
    Account,
    OrderMoney,
    Period,
    disputes,
    every_order,
    ledger,
    money_of_orders,
)
from models.orders.desk.second_person import has_second_person
from models.orders.rules import order_number
from models.payments.differences import difference, differences, open_differences, understand
from models.payments.invoices import paper_of
from models.payments.tables import Invoice
from web.forms import read, shown
from web.guards import admin
from web.lists import address, listed
from web.orders.admin.forms import Deciding, one_of
from web.pages import page, redirect
from web.params import Config, Data, Submitted, Transaction, Who
from web.payments.invoices import pdf
from web.visitor import Visitor, stranger

PLACE: Final = "/admin/money"
WORDS: Final = {Period.DAY: "day", Period.WEEK: "week", Period.MONTH: "month"}
COLUMNS: Final = (
    *("order", "ordered_at", "paid_at", "is_test", "customer", "status", "payment_state", "currency"),
    *("taken", "given_back", "lost_in_disputes", "revenue", "model_cost_usd", "margin"),
    *("checkout_session", "payment_intent", "charge"),
)


class Money(Controller):
    """The books, as far as the product keeps them."""

    path = PLACE
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        per: FromQuery[str] = "",
        mode: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """Sums over time, then each order."""
        period = one_of(Period, per) or Period.DAY
        is_test = mode == "test"
        book = await ledger(session, period, now())
        found = await money_of_orders(session, is_test=is_test, cursor=cursor or None)
        return page(
            "orders/admin/revenue.html",
            visitor=visitor,
            book=book,
            charts=[(one, _points(one, period)) for one in book.accounts],
            span=f"{SHOWN[period]} {WORDS[period]}s",
            period=period,
            name=_name,
            periods=[
                (f"By {words}", address(PLACE, **_asked(one, mode)), one is period, None)
                for one, words in WORDS.items()
            ],
            modes=[
                ("Live orders", address(PLACE, **_asked(period)), not is_test, None),
                ("Test orders", address(PLACE, **_asked(period, "test")), is_test, None),
            ],
            number=order_number,
            is_test=is_test,
            model_currency=MODEL_CURRENCY,
            alone_up_to_cents=settings.refunds.second_person_above_cents,
            has_second_person=await has_second_person(session, visitor.somebody),
            differing=await open_differences(session),
            **listed(found, PLACE, cursor, **_asked(period, mode)),
        )

    @get("/orders.csv")
    async def export(self, request: Request[Any, Any, Any], database: Data) -> Stream:
        """Every order's money as a table, live and test, the latest first; sent while it is read."""
        person = stranger(request).person
        assert person is not None, "the guard lets only admins in"
        async with database.transaction() as session:
            await audit(session, person, "money.exported", "money/orders")
        return Stream(
            _csv(database),
            media_type="text/csv",
            headers={
                "Content-Disposition": 'attachment; filename="orders.csv"',
                "Cache-Control": "no-store",
            },
        )

    @get("/invoices/{invoice_id:uuid}/pdf")
    async def paper(self, database: Data, settings: Config, invoice_id: FromPath[UUID]) -> Response[Any]:
        """An invoice or a credit note as it stands. Looking at it does not freeze it."""
        async with database.transaction() as session:
            invoice = await session.get(Invoice, invoice_id)
            if invoice is None:
                raise NotFound
            found = await paper_of(session, invoice, settings.seller)
        return await pdf(found)

    # ------------------------------------------------------------ disputes and differences
    @get("/disputes")
    async def all_disputes(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Every payment that was called into question."""
        found = await disputes(session, cursor or None)
        return page(
            "orders/admin/disputes.html",
            visitor=visitor,
            number=order_number,
            **listed(found, f"{PLACE}/disputes", cursor),
        )

    @get("/differences")
    async def all_differences(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Every difference between Stripe's books and ours, and how it ended."""
        found = await differences(session, cursor or None)
        return page(
            "orders/admin/differences.html",
            visitor=visitor,
            **listed(found, f"{PLACE}/differences", cursor),
        )

    @get(["/differences/{difference_id:uuid}", "/differences/{difference_id:uuid}/understanding"])
    async def one_difference(
        self, session: Transaction, visitor: Who, difference_id: FromPath[UUID]
    ) -> Response[None]:
        """One difference: what is it?"""
        return await _asking(session, visitor, difference_id)

    @post("/differences/{difference_id:uuid}/understanding")
    async def understood(
        self, session: Transaction, visitor: Who, form: Submitted, difference_id: FromPath[UUID]
    ) -> Response[None]:
        """Take note of it, with a reason."""
        typed = shown(form).get("reason", "")
        try:
            async with session.begin_nested():
                await understand(session, difference_id, visitor.somebody, read(Deciding, form).reason)
        except Invalid as refusal:
            return await _asking(session, visitor, difference_id, typed, refusal.fields)
        except Conflict as refusal:
            return redirect(f"{PLACE}/differences", refusal=refusal.words)
        return redirect(f"{PLACE}/differences", notice="Noted. It counts no more among what is wrong.")


async def _asking(
    session: AsyncSession,
    visitor: Visitor,
    difference_id: UUID,
    reason: str = "",
    problems: dict[str, str] | None = None,
) -> Response[None]:
    return page(
        "orders/admin/difference.html",
        visitor=visitor,
        status=422 if problems else 200,
        found=await difference(session, difference_id),
        reason=reason,
        problems=problems or {},
    )


def _points(account: Account, period: Period) -> list[tuple[str, Decimal]]:
    """What a chart draws: what was taken in each period, in whole units of the currency."""
    return [(_name(start, period), _units(sums.taken)) for start, sums in account.periods]


def _name(start: Any, period: Period) -> str:
    return f"{start:%B %Y}" if period is Period.MONTH else f"{start.day} {start:%b %Y}"


def _units(cents: int | Decimal) -> Decimal:
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def _asked(period: Period, mode: str = "") -> dict[str, str]:
    return {"per": "" if period is Period.DAY else period.value, "mode": mode}


# ---------------------------------------------------------------- the table for other programs
async def _csv(database: Database) -> AsyncIterator[str]:
    yield _lines([COLUMNS])
    async for rows in every_order(database):
        yield _lines([_row(one) for one in rows])


def _row(one: OrderMoney) -> Sequence[object]:
    return (
        order_number(one.number),
        one.created_at.isoformat(timespec="seconds"),
        one.paid_at.isoformat(timespec="seconds") if one.paid_at else "",
        str(one.is_test).lower(),
        _safe(one.email),
        one.status.value,
        one.payment_state.value,
        one.currency,
        *(_units(cents) for cents in (one.taken, one.given_back, one.lost, one.revenue)),
        f"{one.model_cents / 100:.4f}",
        _units(one.margin) if one.margin is not None else "",
        one.session_id or "",
        one.intent_id or "",
        one.charge_id or "",
    )


def _safe(words: str) -> str:
    """A cell that begins like a formula would be run by a spreadsheet: an apostrophe makes it text."""
    return f"'{words}" if words[:1] in {"=", "+", "-", "@", "\t", "\r"} else words


def _lines(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
