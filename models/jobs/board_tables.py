"""What is told about jobs, and what is done about them: counts by the minute, groups of errors, alerts, bulk actions,
and how many workers there are to be.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.jobs.states import AlertKind, BulkDeed


class _Counts:
    """What became of the jobs of one queue, or of one kind, in a time."""

    asked: Mapped[int] = mapped_column(server_default="0")
    completed: Mapped[int] = mapped_column(server_default="0")
    #: Attempts that failed and will be repeated.
    failed: Mapped[int] = mapped_column(server_default="0")
    dead: Mapped[int] = mapped_column(server_default="0")
    #: How many jobs waited and ran so long, by `metrics.TIMES`.
    waits: Mapped[list[int]] = mapped_column(ARRAY(BigInteger()))
    runs: Mapped[list[int]] = mapped_column(ARRAY(BigInteger()))


class MetricRow(_Counts, Row):
    """One minute, written anew as long as it may change."""

    __tablename__ = "job_metrics"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)


class MetricStepRow(_Counts, Row):
    """Ten of those minutes, for charts that look far back: a week of single ones takes half a second to add up."""

    __tablename__ = "job_metric_steps"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)


class KindMinuteRow(_Counts, Row):
    """One minute of a kind of jobs, written anew like those of queues."""

    __tablename__ = "job_kind_minutes"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)


class KindHourRow(_Counts, Row):
    """Sixty of those: there are more kinds than queues, so that a week of steps takes too long to add up."""

    __tablename__ = "job_kind_hours"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)


class ErrorRow(Row):
    """What people know about errors with this fingerprint. One without a row is open."""

    __tablename__ = "job_errors"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    note: Mapped[str]
    understood_by: Mapped[UUID]
    understood_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class AlertRow(Row):
    """Something that was or is not as it should be. There is one open alert of a kind about a subject."""

    __tablename__ = "job_alerts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[AlertKind]
    #: The queue, the kind of job, the job (`jobs/<id>`) or the worker that it is about.
    subject: Mapped[str]
    words: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    resolved_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "job_alerts_open", "kind", "subject", unique=True, postgresql_where=text("resolved_at is null")
        ),
        Index("job_alerts_over", "opened_at", "id", postgresql_where=text("resolved_at is not null")),
    )


class BulkRow(Row):
    """One deed done to every job that a filter found when it was asked for, a chunk at a time."""

    __tablename__ = "job_bulk_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    deed: Mapped[BulkDeed]
    filter: Mapped[str]
    #: Of the deed `priority`.
    priority: Mapped[int | None]
    asked_by: Mapped[UUID]
    #: How many jobs it is about; not known before the first chunk.
    total: Mapped[int | None]
    done: Mapped[int] = mapped_column(server_default="0")
    refused: Mapped[int] = mapped_column(server_default="0")
    #: Why the last one was refused.
    refusal: Mapped[str | None]
    #: The last job that was looked at: the next chunk begins after it.
    last_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    stopped_at: Mapped[datetime | None]
    #: Why it ended before its time, if nobody stopped it: what became of its job.
    stopped_because: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class BulkChunkRow(Row):
    """The jobs that a chunk of a bulk action did its deed to, in the order of their ids. Their own rows are not
    written for it, and one that several bulk actions have met tells of each.
    """

    __tablename__ = "job_bulk_chunks"

    bulk_id: Mapped[UUID] = mapped_column(
        ForeignKey("job_bulk_actions.id", ondelete="CASCADE"), primary_key=True
    )
    last_id: Mapped[UUID] = mapped_column(primary_key=True)
    job_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    at: Mapped[datetime]


class ScalingRow(Row):
    """From when on so many workers of a service are wanted, and why. The latest row of a service is in force."""

    __tablename__ = "job_scalings"

    service: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=text("clock_timestamp()"))
    #: What was seen: jobs that could have begun and that ran, the age of the oldest, and living workers.
    ready: Mapped[int]
    running: Mapped[int]
    oldest: Mapped[timedelta]
    present: Mapped[int]
    wanted: Mapped[int]
    why: Mapped[str]

    __table_args__ = (Index("job_scalings_at", "at"),)
