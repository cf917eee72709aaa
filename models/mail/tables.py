"""Letters as rows, what their provider told about them, and who is not to be written to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.mail.categories import Category
from models.mail.states import EventState, LetterState, SuppressionReason


class EmailMessage(Row):
    """One letter to one address."""

    __tablename__ = "email_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: The letter's name in `emails`, like `orders.backlink_ready`.
    kind: Mapped[str]
    #: Built from ids and counters, like `ready:{order}:{generation}`: asking twice writes one letter.
    key: Mapped[str] = mapped_column(unique=True)
    to_address: Mapped[str]
    #: What the letter tells, as the letter's keyword arguments.
    facts: Mapped[dict[str, Any]]
    #: Facts that open doors (sign-in link and code), sealed, and wiped once the letter has gone or is stale.
    sealed_facts: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: Who or what it is about, as `order/<id>`.
    about: Mapped[str | None]
    subject: Mapped[str | None]
    #: The very bytes that were sent, sealed.
    sealed_mime: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[LetterState] = mapped_column(server_default=LetterState.QUEUED)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: How often it was sent without an answer: it may have arrived that many times.
    lost: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    claimed_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    #: When the provider told what became of it: delivered, bounced, complained about.
    told_at: Mapped[datetime | None]
    way: Mapped[str | None]
    provider_id: Mapped[str | None]
    error: Mapped[str | None]
    is_test: Mapped[bool] = mapped_column(server_default=text("false"))
    #: A letter that is worthless later (a code): not sent after this moment.
    expires_at: Mapped[datetime | None]
    correlation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("email_messages_about", "about", "id", postgresql_where=text("about is not null")),
        Index(
            "email_messages_unsettled", "claimed_at", postgresql_where=text("state in ('sending', 'unknown')")
        ),
        Index("email_messages_state", "state", "id"),
        Index(
            "email_messages_address", "to_address", "id", postgresql_ops={"to_address": "text_pattern_ops"}
        ),
        Index(
            "email_messages_told",
            "created_at",
            postgresql_where=text("sealed_mime is not null or facts <> '{}'"),
        ),
        Index("email_messages_provider", "provider_id", postgresql_where=text("provider_id is not null")),
    )


class EmailEvent(Row):
    """A message of the provider, as it came: written down once, then handled by a job."""

    __tablename__ = "email_events"

    #: The notification's own id. A message that is delivered twice is one row.
    id: Mapped[str] = mapped_column(primary_key=True)
    #: `Delivery`, `Bounce`, `Complaint`, …, or `SubscriptionConfirmation`.
    type: Mapped[str]
    #: The letter that it speaks of, by our tag; None if it is not about one of ours.
    letter_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]]
    state: Mapped[EventState] = mapped_column(server_default=EventState.RECEIVED)
    problem: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    processed_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "email_events_letter", "letter_id", "received_at", postgresql_where=text("letter_id is not null")
        ),
        Index("email_events_received", "received_at"),
    )


class Suppression(Row):
    """An address that is not written to: letters to it bounced for good, or its reader called one spam."""

    __tablename__ = "email_suppressions"

    address: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[SuppressionReason]
    #: The receiving server's own words, for the people who look after the mail.
    detail: Mapped[str | None]
    #: The letter that it happened to.
    letter_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("email_suppressions_created", "created_at", "address"),
        Index("email_suppressions_address", "address", postgresql_ops={"address": "text_pattern_ops"}),
    )

    @property
    def is_complaint(self) -> bool:
        """Whether its reader complained; else letters came back."""
        return self.reason is SuppressionReason.COMPLAINT

    @property
    def why(self) -> str:
        """Why nothing is sent, for the people who look after the mail."""
        what = "its reader marked a letter as spam" if self.is_complaint else "letters to it came back"
        return what + (f" ({self.detail})" if self.detail else "")


class Mute(Row):
    """A category of letters that the reader at this address does not want."""

    __tablename__ = "email_mutes"

    address: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[Category] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
