"""The rows that are the jobs. Redis carries the news of them and Taskiq runs them; only these say what is so."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.jobs.states import JobState


class JobRow(Row):
    """One job. Fenced: whoever writes for an attempt must name (id, attempt, worker) as they stand here."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    queue: Mapped[str]
    args: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(server_default=JobState.WAITING)
    priority: Mapped[int] = mapped_column(SmallInteger)
    #: The order of claiming: `run_at` plus an allowance per step of priority, so that waiting outweighs rank.
    rank_at: Mapped[datetime]
    run_at: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    max_attempts: Mapped[int] = mapped_column(SmallInteger)
    worker_id: Mapped[UUID | None]
    unique_key: Mapped[str | None]
    #: Who asked, as `order/<id>` or `person/<id>`: what a page shows its jobs by.
    subject: Mapped[str | None]
    correlation_id: Mapped[str | None]
    #: The job to ask for in the transaction that buries this one: {kind, args}.
    when_dead: Mapped[dict[str, Any] | None]
    done: Mapped[int | None]
    total: Mapped[int | None]
    words: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        # Claiming: one range scan per queue, in the order of claiming.
        Index("jobs_waiting", "queue", "rank_at", "id", postgresql_where=text("state = 'waiting'")),
        Index("jobs_scheduled", "run_at", postgresql_where=text("state = 'scheduled'")),
        # Rescue. A fenced finish says `finished_at is null`, never `state = 'active'`: offered this index, the
        # planner walks all of a worker's running rows for each one that it finishes.
        Index("jobs_active", "worker_id", postgresql_where=text("state = 'active'")),
        Index(
            "jobs_unique",
            "unique_key",
            unique=True,
            postgresql_where=text("state in ('scheduled', 'waiting', 'active')"),
        ),
        Index("jobs_subject", "subject", "id", postgresql_where=text("subject is not null")),
        Index("jobs_finished", "finished_at", postgresql_where=text("finished_at is not null")),
        {"postgresql_with": {"fillfactor": "85"}},
    )


class AttemptRow(Row):
    """An attempt that did not complete its job: what went wrong, and where."""

    __tablename__ = "job_attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    worker_id: Mapped[UUID | None]
    outcome: Mapped[str]
    error: Mapped[str | None]
    traceback: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class LogRow(Row):
    """A line that a runner wrote while it worked."""

    __tablename__ = "job_logs"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    line: Mapped[str]

    __table_args__ = (Index("job_logs_job", "job_id", "id"),)


class WorkerRow(Row):
    """A worker process and its last sign of life.

    A logged table on purpose: an unlogged one is emptied when the database crashes, and would make every
    living worker look dead for a moment.
    """

    __tablename__ = "job_workers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    host: Mapped[str]
    pid: Mapped[int]
    queues: Mapped[dict[str, Any]]
    running: Mapped[int] = mapped_column(server_default="0")
    memory_bytes: Mapped[int | None]
    is_draining: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    beat_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class QueueRow(Row):
    """What an operator has decided about a queue. A queue without a row is open."""

    __tablename__ = "job_queues"

    name: Mapped[str] = mapped_column(primary_key=True)
    paused_at: Mapped[datetime | None]


class ScheduleRow(Row):
    """The last slot that a schedule has fired for. Moving it forward is what firing is, so two clocks fire once."""

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime]
    fired_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
