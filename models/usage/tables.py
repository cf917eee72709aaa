"""The ledger of calls to language models."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.usage.rules import CURRENCY, CallState

Cents = Annotated[Decimal, mapped_column(Numeric(14, 6))]
"""Cents with six decimals: one token of a small model costs a few hundred-thousandths of a cent."""


class ModelCallRow(Row):
    """One HTTP request to a model: written before it is sent, completed when its end is known.

    A row that stays `started` belongs to a process that died on the way; nobody can tell whether the provider
    answered and charged, so its reservation counts as spent.
    """

    __tablename__ = "model_calls"
    __table_args__ = (
        CheckConstraint("(state = 'started') = (finished_at IS NULL)", name="finished"),
        CheckConstraint("state = 'started' OR cost_cents IS NOT NULL", name="cost"),
        Index(None, "subject", "kind"),
        Index(None, "started_at"),
        Index("model_calls_kept", "subject", "once", postgresql_where=text("answer is not null")),
        Index("model_calls_under_way", "started_at", postgresql_where=text("state = 'started'")),
        Index("model_calls_job", "job_id", postgresql_where=text("job_id is not null")),
        Index("model_calls_unsure", "started_at", postgresql_where=text("state in ('started', 'unknown')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subject: Mapped[str]
    """On whose behalf: `order/<id>`."""
    job_id: Mapped[UUID | None]
    """The job that asked, as far as it was one. It is forgotten sooner than what it cost."""
    kind: Mapped[str]
    """What was asked for: `place_backlink`."""
    attempt: Mapped[int]
    """The how-manieth call of this kind for this subject, from 1."""
    provider: Mapped[str]
    model: Mapped[str]
    request_sha256: Mapped[str]
    """Of the canonical request; equal requests have equal hashes, and a stored answer is found by it."""
    state: Mapped[CallState] = mapped_column(default=CallState.STARTED)
    error_kind: Mapped[str | None]
    once: Mapped[str | None]
    """What the subject needs this answer for, if it is to be paid for once: `2/section-3`."""
    answer: Mapped[str | None]
    """The accepted answer to that, which is given again instead of asking again."""
    currency: Mapped[str] = mapped_column(default=CURRENCY)
    reserved_cents: Mapped[Cents]
    """What the call can cost at most, by estimate."""
    cost_cents: Mapped[Cents | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @property
    def duration(self) -> timedelta | None:
        """How long the call took, once it has ended."""
        return self.finished_at - self.started_at if self.finished_at else None
