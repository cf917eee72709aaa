"""What is owed, what was paid, what Stripe told us, what goes back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.payments.states import (
    CheckoutState,
    EventState,
    InvoiceKind,
    PaymentState,
    RefundState,
    RequestState,
)


class Checkout(Row):
    """One attempt to pay for one thing, at a price frozen here."""

    __tablename__ = "payments_checkouts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: The first of those that are paid on one page together, itself included. None: paid alone.
    basket_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_checkouts.id"))
    #: What is paid for, as `draft/<id>`; attempts for one subject are numbered.
    subject: Mapped[str]
    attempt: Mapped[int] = mapped_column(SmallInteger)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    email: Mapped[str]
    description: Mapped[str]
    amount_cents: Mapped[int]
    #: Lower case, as Stripe writes it.
    currency: Mapped[str]
    state: Mapped[CheckoutState] = mapped_column(server_default=CheckoutState.NEW)
    payment_state: Mapped[PaymentState | None]
    #: What Stripe took for this; in a mismatch neither the amount nor the currency need be the price's.
    captured_cents: Mapped[int] = mapped_column(server_default="0")
    captured_currency: Mapped[str | None]
    #: Of that, what has arrived back at the customer.
    refunded_cents: Mapped[int] = mapped_column(server_default="0")
    #: The messages to ask for when this is paid, and when its payment state moves: {kind, args}.
    when_paid: Mapped[dict[str, Any]]
    when_moved: Mapped[dict[str, Any]]
    return_path: Mapped[str]
    cancel_path: Mapped[str]
    #: Stripe's names; those of a basket have them in common.
    session_id: Mapped[str | None]
    session_url: Mapped[str | None]
    payment_intent_id: Mapped[str | None] = mapped_column(index=True)
    charge_id: Mapped[str | None] = mapped_column(index=True)
    receipt_url: Mapped[str | None]
    is_live: Mapped[bool]
    problem: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("subject", "attempt"),
        UniqueConstraint("session_id", "subject"),
        Index("payments_checkouts_basket", "basket_id", "id", postgresql_where=text("basket_id is not null")),
        Index(
            "payments_checkouts_open",
            "created_at",
            postgresql_where=text("state in ('new', 'open', 'pending')"),
        ),
        Index("payments_checkouts_paid", "paid_at", postgresql_where=text("paid_at is not null")),
        Index("payments_checkouts_person", "person_id", "id"),
    )


class StripeEvent(Row):
    """The inbox: an event as Stripe signed it, written down before anything is done about it."""

    __tablename__ = "payments_stripe_events"

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    object_id: Mapped[str | None]
    api_version: Mapped[str | None]
    is_live: Mapped[bool]
    #: The whole event, until `retention` leaves some plain values of its object.
    payload: Mapped[dict[str, Any]]
    state: Mapped[EventState] = mapped_column(server_default=EventState.RECEIVED)
    problem: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    processed_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "payments_stripe_events_open",
            "received_at",
            postgresql_where=text("state in ('received', 'stranded')"),
        ),
        Index("payments_stripe_events_received", "received_at"),
        # Those that still hold what Stripe told of the payer.
        Index("payments_stripe_events_whole", "received_at", postgresql_where=text("payload ? 'data'")),
    )


class Refund(Row):
    """Money to give back. One row per checkout and kind: asking twice gives back once."""

    __tablename__ = "payments_refunds"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    checkout_id: Mapped[UUID] = mapped_column(ForeignKey("payments_checkouts.id"))
    #: Why, in one word: failed, rejected, cancelled, duplicate, mismatch, goodwill (`goodwill_2` if given once
    #: more, because another refund came back); `dashboard:<id>` if made there.
    kind: Mapped[str]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    state: Mapped[RefundState] = mapped_column(server_default=RefundState.ASKED)
    #: Counts the askings: one that was refused or has failed is asked for again under a new idempotency key.
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    #: One that was made by hand may be shared out among the checkouts of a basket.
    stripe_id: Mapped[str | None]
    asked_by: Mapped[UUID | None]
    problem: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("checkout_id", "kind"),
        UniqueConstraint("stripe_id", "checkout_id"),
        Index(
            "payments_refunds_open",
            "created_at",
            postgresql_where=text("state in ('asked', 'pending', 'failed')"),
        ),
        Index("payments_refunds_given", "settled_at", postgresql_where=text("state = 'succeeded'")),
    )


class RefundRequest(Row):
    """A refund that one person asked for and that is too large for one person: it waits for another."""

    __tablename__ = "payments_refund_requests"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    checkout_id: Mapped[UUID] = mapped_column(ForeignKey("payments_checkouts.id"))
    #: What is done when it is confirmed, in the words of whoever sold: `refund`, `rejection`.
    deed: Mapped[str]
    reason: Mapped[str]
    #: The version that the asker looked at, if the deed is about one.
    seen: Mapped[UUID | None]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    state: Mapped[RequestState] = mapped_column(server_default=RequestState.WAITING)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id"))
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id"))
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("decided_by is distinct from asked_by", name="second_person"),
        Index(
            "payments_refund_requests_waiting",
            "checkout_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("payments_refund_requests_checkout", "checkout_id", "asked_at"),
    )


class Dispute(Row):
    """A payment that the card's holder has called into question."""

    __tablename__ = "payments_disputes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    checkout_id: Mapped[UUID] = mapped_column(ForeignKey("payments_checkouts.id"), index=True)
    stripe_id: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str | None]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("stripe_id", "checkout_id"),
        Index("payments_disputes_lost", "closed_at", postgresql_where=text("status = 'lost'")),
    )


class Difference(Row):
    """Something that the daily comparison found to be one thing at Stripe and another here. There should be none.

    It ends in one of two ways: a later comparison finds it gone, or a person has understood it and says why.
    """

    __tablename__ = "payments_differences"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: The object of Stripe that differs (`cs_…`, `re_…`), and in which way.
    stripe_id: Mapped[str]
    what: Mapped[str]
    checkout_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_checkouts.id"))
    words: Mapped[str]
    found_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    gone_at: Mapped[datetime | None]
    understood_at: Mapped[datetime | None]
    understood_by: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    reason: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("stripe_id", "what"),
        Index("payments_differences_found", "found_at", "id"),
        Index(
            "payments_differences_open",
            "found_at",
            postgresql_where=text("gone_at is null and understood_at is null"),
        ),
    )


class InvoiceSeries(Row):
    """The last number that was given out in a series. Its row is the lock that leaves no gap between two numbers."""

    __tablename__ = "payments_invoice_series"

    is_live: Mapped[bool] = mapped_column(primary_key=True)
    kind: Mapped[InvoiceKind] = mapped_column(primary_key=True)
    #: Of issuing, in UTC.
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    last_number: Mapped[int]


class Invoice(Row):
    """A numbered paper about money: the invoice of a payment, or the credit note of one of its refunds."""

    __tablename__ = "payments_invoices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    checkout_id: Mapped[UUID] = mapped_column(ForeignKey("payments_checkouts.id"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    #: The refund that a credit note is about, and the how-manieth asking for it.
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_refunds.id"))
    attempt: Mapped[int | None] = mapped_column(SmallInteger)
    kind: Mapped[InvoiceKind]
    is_live: Mapped[bool]
    year: Mapped[int] = mapped_column(SmallInteger)
    number: Mapped[int]
    description: Mapped[str]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    issued_at: Mapped[datetime]
    #: From when on nothing on it changes any more, and what it says of seller and customer since then.
    frozen_at: Mapped[datetime | None]
    seller: Mapped[dict[str, Any] | None]
    billed_to: Mapped[dict[str, Any] | None]
    #: A credit note whose refund did not arrive after all keeps its number, and is crossed out.
    cancelled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("is_live", "kind", "year", "number"),
        Index(
            "payments_invoices_paid", "checkout_id", unique=True, postgresql_where=text("kind = 'invoice'")
        ),
        Index(
            "payments_invoices_refunded",
            "refund_id",
            "attempt",
            unique=True,
            postgresql_where=text("refund_id is not null"),
        ),
        Index("payments_invoices_checkout", "checkout_id", "id"),
        Index("payments_invoices_person", "person_id", "id"),
    )


class BillingDetails(Row):
    """Whom a customer wants on their invoices. What is empty is left out."""

    __tablename__ = "payments_billing_details"

    person_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts_people.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(server_default="")
    company: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
    vat_id: Mapped[str] = mapped_column(server_default="")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
