"""Invoices and credit notes: numbered without a gap, in the transaction in which the money is known to have moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, new_id
from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.base.settings.selling import SellerSettings
from models.payments.states import InvoiceKind, RefundState
from models.payments.tables import BillingDetails, Checkout, Invoice, InvoiceSeries, Refund

_PREFIXES: Final = {InvoiceKind.INVOICE: "INV", InvoiceKind.CREDIT_NOTE: "CN"}


@dataclass(frozen=True, slots=True)
class BilledTo:
    """Whom a paper is made out to."""

    email: str
    name: str = ""
    company: str = ""
    address: str = ""
    vat_id: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything that stands on an invoice or a credit note. Money in cents of `currency`, times in UTC."""

    kind: InvoiceKind
    number: str
    is_live: bool
    issued_at: datetime
    paid_at: datetime | None
    description: str
    amount_cents: int
    currency: str
    #: What Stripe calls the payment, so that it is found on a bank's statement.
    reference: str | None
    seller: dict[str, str]
    billed_to: BilledTo
    #: The invoice that a credit note takes back a part of.
    corrects: str | None = None
    cancelled_at: datetime | None = None
    #: False while customer and seller may still change what it says.
    is_frozen: bool = field(default=True)


def number_words(kind: InvoiceKind, year: int, number: int, *, is_live: bool) -> str:
    """A number as it is printed: INV-2026-000042, and TEST-INV-2026-000042 for play money."""
    return f"{'' if is_live else 'TEST-'}{_PREFIXES[kind]}-{year}-{number:06d}"


def printed_number(invoice: Invoice) -> str:
    """The number that stands on this paper."""
    return number_words(invoice.kind, invoice.year, invoice.number, is_live=invoice.is_live)


# ---------------------------------------------------------------- issuing
async def issue_invoice(session: AsyncSession, checkout: Checkout) -> Invoice:
    """Give the paid checkout its invoice. The caller has just moved it to paid, which happens once."""
    assert checkout.paid_at is not None
    return await _issue(
        session,
        checkout,
        InvoiceKind.INVOICE,
        checkout.paid_at,
        amount_cents=checkout.captured_cents,
        currency=checkout.captured_currency or checkout.currency,
    )


async def follow_refunds(session: AsyncSession, checkout: Checkout, refunds: Sequence[Refund]) -> None:
    """Give each refund that has arrived its credit note, and cross out those whose refund came back.

    The caller holds the checkout. A payment that never had an invoice, because it was not what was owed, has no
    credit notes either.
    """
    query = (
        select(Invoice).where(Invoice.checkout_id == checkout.id).execution_options(populate_existing=True)
    )
    papers = (await session.scalars(query)).all()
    if not papers:
        return
    notes = {(one.refund_id, one.attempt): one for one in papers if one.refund_id is not None}
    for refund in refunds:
        note = notes.get((refund.id, refund.attempt))
        if refund.state is RefundState.SUCCEEDED and refund.amount_cents > 0 and note is None:
            await _issue(
                session,
                checkout,
                InvoiceKind.CREDIT_NOTE,
                refund.settled_at or now(),
                amount_cents=refund.amount_cents,
                currency=refund.currency,
                refund_id=refund.id,
                attempt=refund.attempt,
            )
        elif refund.state is RefundState.FAILED and note is not None and note.cancelled_at is None:
            note.cancelled_at = now()
    await session.flush()


async def _issue(
    session: AsyncSession, checkout: Checkout, kind: InvoiceKind, at: datetime, **values: Any
) -> Invoice:
    year = at.astimezone(UTC).year
    number = await _next_number(session, kind, year, is_live=checkout.is_live)
    invoice = Invoice(
        id=new_id(),
        checkout_id=checkout.id,
        person_id=checkout.person_id,
        kind=kind,
        is_live=checkout.is_live,
        year=year,
        number=number,
        description=checkout.description,
        issued_at=at,
        **values,
    )
    session.add(invoice)
    await session.flush()
    changed(session, f"checkout/{checkout.id}")
    return invoice


async def _next_number(session: AsyncSession, kind: InvoiceKind, year: int, *, is_live: bool) -> int:
    """One more than the last. The row stays locked until the transaction ends, and a rollback gives the number back."""
    first = insert(InvoiceSeries).values(is_live=is_live, kind=kind, year=year, last_number=1)
    following = first.on_conflict_do_update(
        index_elements=["is_live", "kind", "year"],
        set_={"last_number": InvoiceSeries.last_number + 1},
    )
    return (await session.scalars(following.returning(InvoiceSeries.last_number))).one()


# ---------------------------------------------------------------- reading
async def invoices_of(session: AsyncSession, person_id: UUID, cursor: str | None = None) -> Page[Invoice]:
    """The invoices and credit notes of a person, the latest first."""
    query = select(Invoice).where(Invoice.person_id == person_id).order_by(Invoice.id.desc())
    if cursor:
        query = query.where(Invoice.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query.limit(PAGE_SIZE + 1))).all(), PAGE_SIZE, lambda one: [one.id])


async def papers_of(session: AsyncSession, checkout_ids: Sequence[UUID]) -> Sequence[Invoice]:
    """The papers of these payments, the earliest first."""
    query = select(Invoice).where(Invoice.checkout_id.in_(checkout_ids)).order_by(Invoice.id)
    return (await session.scalars(query)).all()


async def own_invoice(session: AsyncSession, invoice_id: UUID, person_id: UUID | None) -> Invoice:
    """The invoice or credit note, if it is this person's; else `NotFound`."""
    invoice = await session.get(Invoice, invoice_id)
    if invoice is None or person_id is None or invoice.person_id != person_id:
        raise NotFound
    return invoice


async def paper_of(session: AsyncSession, invoice: Invoice, seller: SellerSettings) -> Paper:
    """What is printed on it: what was frozen, or else how things stand now."""
    checkout = await session.get_one(Checkout, invoice.checkout_id)
    corrected = None
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        whole = (Invoice.checkout_id == invoice.checkout_id, Invoice.kind == InvoiceKind.INVOICE)
        corrected = (await session.scalars(select(Invoice).where(*whole))).one_or_none()
    billed_to = invoice.billed_to or await _billed_to(session, checkout.person_id, checkout.email)
    return Paper(
        kind=invoice.kind,
        number=printed_number(invoice),
        is_live=invoice.is_live,
        issued_at=invoice.issued_at,
        paid_at=checkout.paid_at,
        description=invoice.description,
        amount_cents=invoice.amount_cents,
        currency=invoice.currency,
        reference=checkout.payment_intent_id,
        seller=invoice.seller or seller.model_dump(),
        billed_to=BilledTo(**billed_to),
        corrects=printed_number(corrected) if corrected is not None else None,
        cancelled_at=invoice.cancelled_at,
        is_frozen=invoice.frozen_at is not None,
    )


async def _billed_to(session: AsyncSession, person_id: UUID | None, email: str) -> dict[str, str]:
    found = await billing_details(session, person_id)
    named = {name: getattr(found, name) for name in ("name", "company", "address", "vat_id")} if found else {}
    return {"email": email} | named


# ---------------------------------------------------------------- what its customer decides
async def billing_details(session: AsyncSession, person_id: UUID | None) -> BillingDetails | None:
    """Whom this person wants on their invoices, if they have said."""
    return None if person_id is None else await session.get(BillingDetails, person_id)


async def set_billing_details(session: AsyncSession, person_id: UUID, **details: str) -> None:
    """Write down whom this person wants on their invoices. Papers that are frozen already stay as they are."""
    row = {"person_id": person_id, "updated_at": now()} | details
    written = insert(BillingDetails).values(row)
    await session.execute(written.on_conflict_do_update(index_elements=["person_id"], set_=row))


async def freeze(session: AsyncSession, invoice: Invoice, seller: SellerSettings) -> Invoice:
    """Let this paper stay as it is now: it is about to be handed out. Doing it twice is doing it once."""
    checkout = await session.get_one(Checkout, invoice.checkout_id)
    billed_to = invoice.billed_to or await _billed_to(session, checkout.person_id, checkout.email)
    statement = (
        update(Invoice)
        .where(Invoice.id == invoice.id, Invoice.frozen_at.is_(None))
        .values(frozen_at=now(), seller=seller.model_dump(), billed_to=billed_to)
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)
    await session.refresh(invoice)
    return invoice


async def keep_billed_to(session: AsyncSession, person_id: UUID, email: str) -> None:
    """Write on this person's papers whom they are made out to: their billing details are about to be forgotten, and
    tax law wants them on an invoice (Directive 2006/112/EC, article 226). Papers that were handed out have it already.
    """
    mine = (Invoice.person_id == person_id, Invoice.frozen_at.is_(None))
    billed_to = await _billed_to(session, person_id, email)
    await session.execute(update(Invoice).where(*mine).values(billed_to=billed_to))
