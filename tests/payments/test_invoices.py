"""Invoices: a number for every payment, none left out, and a paper that says the same for ever."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from models.accounts.leaving import leave
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import new_id
from models.base.fonts import printable
from models.base.settings.selling import SellerSettings
from models.payments.invoices import (
    BilledTo,
    Paper,
    billing_details,
    freeze,
    issue_invoice,
    paper_of,
    printed_number,
    set_billing_details,
)
from models.payments.states import CheckoutState, InvoiceKind, PaymentState
from models.payments.tables import Checkout, Invoice
from tests.payments.papers import text_of
from tests.payments.shop import Shop
from web.payments.paper import render

PAPER = Paper(
    kind=InvoiceKind.INVOICE,
    number="INV-2026-000007",
    is_live=True,
    issued_at=datetime(2026, 3, 4, tzinfo=UTC),
    paid_at=datetime(2026, 3, 4, tzinfo=UTC),
    description="Backlink in “Water for coffee”",
    amount_cents=123_456,
    currency="eur",
    reference="pi_1",
    seller={
        "name": "Galley GmbH",
        "address": "Hauptstraße 1\n10115 Berlin",
        "tax_id": "VAT DE1",
        "footer": "Small print.",
    },
    billed_to=BilledTo("ada@example.com", "Łukasz Żółć", "Ελληνική & Жюль", "Rue Ça\nParis", "EL9"),
)


async def papers(shop: Shop) -> list[Invoice]:
    async with shop.database.transaction() as session:
        return list((await session.scalars(select(Invoice).order_by(Invoice.issued_at, Invoice.id))).all())


# ---------------------------------------------------------------- numbers
async def test_a_payment_gets_its_invoice_in_the_moment_in_which_it_is_paid(shop: Shop) -> None:
    first, second = await shop.bought("vase"), await shop.bought("bowl")
    await shop.opened("cup")
    found = await papers(shop)
    year = now().year
    assert [(one.checkout_id, printed_number(one)) for one in found] == [
        (first.id, f"TEST-INV-{year}-000001"),
        (second.id, f"TEST-INV-{year}-000002"),
    ]
    assert (found[0].amount_cents, found[0].currency, found[0].person_id) == (4900, "usd", shop.person_id)


async def test_numbers_of_many_payments_at_once_have_no_gap_though_some_are_rolled_back(shop: Shop) -> None:
    ids = [await _paid_row(shop, number) for number in range(12)]

    async def issue(number: int) -> None:
        async with shop.database.transaction() as session:
            await issue_invoice(session, await session.get_one(Checkout, ids[number]))
            if number % 3 == 0:
                raise ZeroDivisionError

    await asyncio.gather(*(issue(number) for number in range(12)), return_exceptions=True)
    assert sorted(one.number for one in await papers(shop)) == list(range(1, 9))


async def test_live_and_test_payments_and_years_count_for_themselves(shop: Shop) -> None:
    async with shop.database.transaction() as session:
        for number, (is_live, at) in enumerate(
            [
                (True, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)),
                (True, datetime(2027, 1, 1, tzinfo=UTC)),
                (False, now()),
            ]
        ):
            checkout = await session.get_one(Checkout, await _paid_row(shop, number, is_live=is_live, at=at))
            await issue_invoice(session, checkout)
    assert {printed_number(one) for one in await papers(shop)} == {
        "INV-2026-000001",
        "INV-2027-000001",
        f"TEST-INV-{now().year}-000001",
    }


async def _paid_row(shop: Shop, number: int, *, is_live: bool = False, at: datetime | None = None) -> UUID:
    checkout = await shop.expect(f"thing {number}", is_live=is_live)
    paid = {
        "state": CheckoutState.PAID,
        "payment_state": PaymentState.PAID,
        "paid_at": at or now(),
        "captured_cents": 4900,
    }
    async with shop.database.transaction() as session:
        await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(paid))
    return checkout.id


# ---------------------------------------------------------------- credit notes
async def test_each_refund_that_arrives_gets_one_credit_note(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.refund(checkout, "goodwill", 1900)
    await shop.work()
    await shop.sandbox.refund_by_hand(str(checkout.charge_id), amount=1000)
    await shop.deliver()
    invoice, *notes = await papers(shop)
    assert invoice.kind is InvoiceKind.INVOICE
    assert {(one.kind, one.number, one.amount_cents) for one in notes} == {
        (InvoiceKind.CREDIT_NOTE, 1, 1900),
        (InvoiceKind.CREDIT_NOTE, 2, 1000),
    }


async def test_a_credit_note_whose_refund_came_back_is_crossed_out_and_keeps_its_number(shop: Shop) -> None:
    checkout = await shop.bought()
    await shop.refund(checkout, "goodwill")
    await shop.work()
    (refund,) = await shop.refunds(checkout)
    await shop.sandbox.conclude_refund(str(refund.stripe_id), "failed")
    await shop.deliver()
    _, note = await papers(shop)
    assert note.cancelled_at is not None
    await shop.refund(checkout, "goodwill")
    await shop.work()
    _, old, new = await papers(shop)
    assert (old.cancelled_at is not None, old.number, new.cancelled_at, new.number) == (True, 1, None, 2)


# ---------------------------------------------------------------- the customer's pages
async def test_a_customer_says_to_whom_it_is_made_out_until_it_is_downloaded(shop: Shop) -> None:
    await shop.bought()
    async with shop.browser() as browser:
        screen = await browser.open("/invoices")
        form = (await browser.open("/invoices/billing")).form("/invoices/billing")
        await browser.submit(form, company="Жюль & Дни", address="Street 1\r\nTown", vat_id="de123")
        (invoice,) = await papers(shop)
        assert (await browser.open(f"/invoices/{invoice.id}/pdf")).path == "/invoices"
        assert (await papers(shop))[0].frozen_at is None

        screen = await browser.open("/invoices")
        answer = await browser.submit(screen.form(f"/invoices/{invoice.id}/pdf"))
        assert answer.response.headers["content-type"] == "application/pdf"
        assert f'filename="{printed_number(invoice)}.pdf"' in answer.response.headers["content-disposition"]
        words = text_of(answer.response.content)
        assert "Жюль & Дни\nStreet 1\nTown\nVAT ID DE123\nada@example.com" in words
        assert "TEST MODE" in words
        assert "$49.00 USD" in words

        form = (await browser.open("/invoices/billing")).form("/invoices/billing")
        await browser.submit(form, company="Somebody else")
        again = await browser.open(f"/invoices/{invoice.id}/pdf")
        assert again.response.content == answer.response.content


async def test_an_invoice_keeps_whom_it_is_made_out_to_when_they_leave(shop: Shop) -> None:
    await shop.bought()
    async with shop.database.transaction() as session:
        person = await session.get_one(Person, shop.person_id)
        await set_billing_details(session, person.id, company="Hollow Hill", vat_id="DE123")
        await leave(session, person, now())
    async with shop.database.transaction() as session:
        assert await billing_details(session, shop.person_id) is None
        (invoice,) = (await session.scalars(select(Invoice))).all()
        seller = SellerSettings(name="Galley")
        for paper in (
            await paper_of(session, invoice, seller),
            await paper_of(session, await freeze(session, invoice, seller), seller),
        ):
            assert (paper.billed_to.company, paper.billed_to.vat_id) == ("Hollow Hill", "DE123")
            assert shop.email not in str(paper)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("address", "\n".join("abcdefgh"), "Shorten the address to 6 lines"),
        ("address", "x" * 61, "Break the address into lines"),
        ("company", "x" * 61, "Shorten this to 60 characters"),
    ],
)
async def test_what_does_not_fit_on_the_paper_is_refused_at_its_field(
    shop: Shop, field: str, value: str, words: str
) -> None:
    async with shop.browser() as browser:
        form = (await browser.open("/invoices/billing")).form("/invoices/billing")
        typed: dict[str, Any] = {field: value}
        screen = await browser.submit(form, **typed)
        assert screen.response.status_code == 422
        assert words in screen.response.text


async def test_a_stranger_cannot_read_an_invoice(shop: Shop) -> None:
    await shop.bought()
    (invoice,) = await papers(shop)
    async with shop.database.transaction() as session:
        stranger = Person(id=new_id(), email="eve@example.com")
        session.add(stranger)
    async with shop.browser(stranger.id) as browser:
        screen = await browser.open("/invoices/billing")
        token = screen.form("/invoices/billing").fields["_csrf_token"]
        assert (await browser.client.get(f"/invoices/{invoice.id}/pdf")).status_code == 404
        taken = await browser.client.post(f"/invoices/{invoice.id}/pdf", data={"_csrf_token": token})
        assert taken.status_code == 404
        assert printed_number(invoice) not in (await browser.open("/invoices")).response.text
    async with shop.database.transaction() as session:
        assert (
            await session.scalar(text("select count(*) from payments_invoices where frozen_at is not null"))
            == 0
        )


# ---------------------------------------------------------------- the paper
def test_a_paper_says_everything_that_stands_on_it_in_the_letters_of_its_people() -> None:
    words = text_of(render(PAPER))
    for line in (
        *("Galley GmbH", "Hauptstraße 1", "10115 Berlin", "VAT DE1", "Small print.", "Invoice"),
        *("INV-2026-000007", "4 March 2026", "Ελληνική & Жюль", "Łukasz Żółć", "Rue Ça", "VAT ID EL9"),
        *("Backlink in “Water for coffee”", "€1,234.56 EUR", "Payment reference: pi_1"),
    ):
        assert line in words.splitlines()
    assert "TEST MODE" not in words


def test_equal_papers_have_equal_bytes_and_are_small() -> None:
    first, second = render(PAPER), render(PAPER)
    assert first == second
    assert first.startswith(b"%PDF-")
    assert len(first) < 80_000


def test_what_the_font_cannot_print_is_shown_and_explained() -> None:
    assert printable("株式会社 Ada עדה") == "▯▯▯▯ Ada ▯▯▯"
    assert printable("Zoe\u0301") == "Zoé"
    words = text_of(render(replace(PAPER, billed_to=BilledTo("a@example.com", "株"))))
    assert "▯ stands for a character that this paper's font does not have." in words


def test_a_credit_note_is_negative_names_its_invoice_and_can_be_cancelled() -> None:
    note = replace(
        PAPER,
        kind=InvoiceKind.CREDIT_NOTE,
        number="CN-2026-000001",
        corrects="INV-2026-000007",
        is_live=False,
    )
    words = text_of(render(note))
    for line in ("Credit note", "CN-2026-000001", "INV-2026-000007", "-€1,234.56 EUR", "TEST MODE"):
        assert line in words.splitlines()
    assert "CANCELLED" in text_of(render(replace(note, cancelled_at=PAPER.issued_at)))
