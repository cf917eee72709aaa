"""Letters as rows: written in the transaction of what they tell, sent by a job."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.mail.states import LetterState


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
        Index("email_messages_provider", "provider_id", postgresql_where=text("provider_id is not null")),
    )
