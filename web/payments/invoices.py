"""A customer's invoices and credit notes, and whom they are made out to."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.base.errors import Invalid
from models.payments.invoices import (
    Paper,
    billing_details,
    freeze,
    invoices_of,
    own_invoice,
    paper_of,
    papers_of,
    printed_number,
    set_billing_details,
)
from models.payments.queries import own_checkout
from models.payments.tables import Invoice
from web.forms import FormData, read, shown, text
from web.guards import signed_in
from web.pages import page, redirect
from web.params import Config, Data, Submitted, Transaction, Who
from web.visitor import Visitor, stranger

AnyRequest = Request[Any, Any, Any]

LIST: Final = "/invoices"
KINDS: Final = {"invoice": "Invoice", "credit_note": "Credit note"}
#: What fits on the paper beside everything else.
MOST_LINES: Final = 6
LONGEST_LINE: Final = 60
_NOTHING: Final = {"name": "", "company": "", "address": "", "vat_id": ""}


def _address(value: str) -> str:
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise ValueError(f"Shorten the address to {MOST_LINES} lines; it has {len(lines)}.")
    if any(len(line) > LONGEST_LINE for line in lines):
        raise ValueError(f"Break the address into lines of at most {LONGEST_LINE} characters.")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Billing:
    """Whom invoices are made out to. All of it may be left out."""

    name: Annotated[str, text(max_length=LONGEST_LINE)] = ""
    company: Annotated[str, text(max_length=LONGEST_LINE)] = ""
    address: Annotated[str, text(max_length=400, is_prose=True, then=_address)] = ""
    vat_id: Annotated[str, text(max_length=30, then=str.upper)] = ""


class Invoices(Controller):
    """The papers of whoever is signed in, and nobody else's."""

    path = LIST
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        cursor: FromQuery[str | None] = None,
        payment: FromQuery[UUID | None] = None,
    ) -> Response[None]:
        """My invoices and credit notes, the latest first; with `payment`, those of one payment."""
        person_id = visitor.somebody.id
        if payment is not None:
            checkout = await own_checkout(session, payment, person_id)
            rows, following = list(await papers_of(session, [checkout.id])), None
        else:
            found = await invoices_of(session, person_id, cursor or None)
            rows, following = list(found.items), found.next_cursor
        return page(
            "payments/invoices.html",
            visitor=visitor,
            rows=[(one, KINDS[one.kind], printed_number(one)) for one in rows],
            billing=await _billing(session, person_id),
            first=LIST if cursor or payment else None,
            more=f"{LIST}?cursor={following}" if following else None,
        )

    # ------------------------------------------------------------ the papers
    @post("/{invoice_id:uuid}/pdf", status_code=200)
    async def download(
        self, request: AnyRequest, database: Data, settings: Config, invoice_id: FromPath[UUID]
    ) -> Response[Any]:
        """Hand the paper out. From now on it says the same for ever."""
        async with database.transaction() as session:
            invoice = await _own(session, request, invoice_id)
            paper = await paper_of(session, await freeze(session, invoice, settings.seller), settings.seller)
        return await pdf(paper)

    @get("/{invoice_id:uuid}/pdf")
    async def again(
        self, request: AnyRequest, database: Data, settings: Config, invoice_id: FromPath[UUID]
    ) -> Response[Any]:
        """The paper, if it was handed out before: opening an address changes nothing."""
        async with database.transaction() as session:
            invoice = await _own(session, request, invoice_id)
            if invoice.frozen_at is None:
                return redirect(f"{LIST}?payment={invoice.checkout_id}")
            paper = await paper_of(session, invoice, settings.seller)
        return await pdf(paper)

    # ------------------------------------------------------------ whom they are made out to
    @get("/billing")
    async def ask(self, session: Transaction, visitor: Who) -> Response[None]:
        """Whom should my invoices be made out to?"""
        return _asking(visitor, await _billing(session, visitor.somebody.id))

    @post("/billing")
    async def give(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """From now on, to them; also on papers that were not handed out yet."""
        try:
            told = read(Billing, form)
        except Invalid as refusal:
            return _asking(visitor, _NOTHING | _typed(form), refusal.fields)
        details = {name: getattr(told, name) for name in _NOTHING}
        await set_billing_details(session, visitor.somebody.id, **details)
        await audit(session, visitor.somebody, "billing.changed", f"person/{visitor.somebody.id}")
        return redirect(
            LIST, notice="Saved. Invoices that you have not downloaded yet are made out like this."
        )


async def pdf(paper: Paper) -> Response[bytes]:
    """The paper as a file. Drawn in a thread, and in no transaction."""
    content = await asyncio.to_thread(_drawn, paper)
    return Response(
        content,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{paper.number}.pdf"',
            "Cache-Control": "no-store",
        },
    )


def _drawn(paper: Paper) -> bytes:
    # The PDF library takes a second to load, so that happens in the thread too.
    from web.payments.paper import render

    return render(paper)


async def _own(session: AsyncSession, request: AnyRequest, invoice_id: UUID) -> Invoice:
    # The guard has looked up who it is, in a transaction that is over.
    return await own_invoice(session, invoice_id, stranger(request).somebody.id)


async def _billing(session: AsyncSession, person_id: UUID) -> dict[str, str]:
    found = await billing_details(session, person_id)
    return {name: getattr(found, name) for name in _NOTHING} if found is not None else dict(_NOTHING)


def _typed(form: FormData) -> dict[str, str]:
    return {name: value for name, value in shown(form).items() if name in _NOTHING}


def _asking(
    visitor: Visitor, billing: dict[str, str], problems: dict[str, str] | None = None
) -> Response[None]:
    return page(
        "payments/billing.html",
        visitor=visitor,
        status=422 if problems else 200,
        billing=billing,
        problems=problems or {},
    )
