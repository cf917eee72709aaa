"""The rows that are the jobs. Redis carries the news of them and Taskiq runs them; only these say what is so."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, Identity, Index, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.jobs.states import JobState, OnParentFailure


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
    #: Whose share of the queue it takes, as `person/<id>`: those who wait take turns.
    share_key: Mapped[str | None]
    #: Jobs with the same one are held to a limit together, as `host/example.com`.
    limit_key: Mapped[str | None]
    #: What keeps it from being claimed, as `limit/<key>`, `flow`, `parents` or `cancel`. On an active row `limit/…` says
    #: that it was claimed, but not let through its gate yet.
    blocked_by: Mapped[str | None]
    #: An operator wants it run although its queue is paused.
    run_anyway: Mapped[bool] = mapped_column(server_default=text("false"))
    cancel_asked_at: Mapped[datetime | None]
    #: Sealed arguments, as JSON once opened: see `Job.secrets`.
    secret: Mapped[bytes | None]
    #: Since when it has met nothing but 429, less the time for which it waited for its turn meanwhile.
    crowded_at: Mapped[datetime | None]
    #: How often it was put off without spending an attempt.
    snoozes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: Its unique key holds while it waits, and is free once it is claimed.
    frees_key: Mapped[bool] = mapped_column(server_default=text("false"))
    #: The person who asked for it by the board or the API.
    asked_by: Mapped[UUID | None]
    #: It works for somebody who has paid: it may be tried again, never cancelled or removed.
    is_held: Mapped[bool] = mapped_column(server_default=text("false"))
    #: What its last error has in common with others, see `errors.fingerprint`.
    fingerprint: Mapped[str | None]
    flow_id: Mapped[UUID | None] = mapped_column(ForeignKey("job_flows.id"))
    #: Its name in its flow.
    step: Mapped[str | None]
    #: Of how many of its parents the end is not known yet; while there are some it is `blocked_by` `parents`.
    parents_left: Mapped[int] = mapped_column(server_default="0")
    #: What becomes of it if one of its parents dies or is cancelled.
    on_parent_failure: Mapped[OnParentFailure | None]
    #: Since when its limit has held it back, less the time for which it might have begun meanwhile. It is of an earlier wait
    #: if it is before `run_at`: whatever puts a job off moves that.
    held_at: Mapped[datetime | None]
    #: When that limit last let it be claimed again.
    woken_at: Mapped[datetime | None]

    __table_args__ = (
        # Claiming: one range scan per queue, in the order of claiming. What is blocked is not walked over.
        Index(
            "jobs_claimable",
            "queue",
            "rank_at",
            "id",
            postgresql_where=text("state = 'waiting' and blocked_by is null"),
        ),
        Index(
            "jobs_blocked",
            "blocked_by",
            "rank_at",
            "id",
            # The board counts them by queue without looking at their rows.
            postgresql_include=["queue", "state"],
            postgresql_where=text("blocked_by is not null and state in ('scheduled', 'waiting')"),
        ),
        Index("jobs_anyway", "queue", "rank_at", postgresql_where=text("run_anyway and state = 'waiting'")),
        # How many of a key run, and how many of it may be claimed.
        Index(
            "jobs_limit_running",
            "limit_key",
            postgresql_where=text("limit_key is not null and state = 'active'"),
        ),
        Index(
            "jobs_limit_awake",
            "limit_key",
            postgresql_where=text("limit_key is not null and state = 'waiting' and blocked_by is null"),
        ),
        # How many of a share wait in a queue, by the time at hand, and how far the turns of all have come.
        Index(
            "jobs_share",
            "queue",
            "share_key",
            "run_at",
            postgresql_where=text("share_key is not null and state in ('scheduled', 'waiting')"),
        ),
        Index(
            "jobs_turn",
            "queue",
            "rank_at",
            postgresql_where=text("share_key is not null and state = 'waiting' and blocked_by is null"),
        ),
        Index("jobs_scheduled", "run_at", postgresql_where=text("state = 'scheduled'")),
        # Rescue. A fenced finish says `finished_at is null`, never `state = 'active'`: offered this index, the
        # planner walks all of a worker's running rows for each one that it finishes.
        Index("jobs_active", "worker_id", postgresql_where=text("state = 'active'")),
        Index(
            "jobs_unique",
            "unique_key",
            unique=True,
            # Most jobs have no key, and cost nothing here.
            postgresql_where=text("state in ('scheduled', 'waiting', 'active') and unique_key is not null"),
        ),
        Index("jobs_subject", "subject", "id", postgresql_where=text("subject is not null")),
        Index("jobs_finished", "queue", "finished_at", postgresql_where=text("finished_at is not null")),
        # The dead letters, and what was cancelled: few among many, and looked at most.
        Index("jobs_ended_badly", "state", "id", postgresql_where=text("state in ('dead', 'cancelled')")),
        # What is done is most of all, and may be older than any number that wait. An index of its own, because the
        # planner takes a walk over all jobs to cost no more than one that begins with the state.
        Index("jobs_completed", "id", postgresql_where=text("state = 'completed'")),
        # What is searched for the words of an error.
        Index("jobs_failed", "id", postgresql_where=text("error is not null")),
        Index("jobs_fingerprint", "fingerprint", "id", postgresql_where=text("fingerprint is not null")),
        Index("jobs_asked_by", "asked_by", "id", postgresql_where=text("asked_by is not null")),
        # What a person finds again, and how much of it there is. What nobody asked for by name costs nothing here.
        Index(
            "jobs_of_a_person",
            "asked_by",
            "state",
            "kind",
            "id",
            postgresql_where=text("asked_by is not null"),
        ),
        Index("jobs_flow", "flow_id", "id", postgresql_where=text("flow_id is not null")),
        {"postgresql_with": {"fillfactor": "85"}},
    )


class FlowRow(Row):
    """Jobs that belong together. Whoever ends one of them locks this row first, so that the last one knows that it is.

    A batch is a flow whose jobs do not wait for each other.
    """

    __tablename__ = "job_flows"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    subject: Mapped[str | None]
    asked_by: Mapped[UUID | None]
    jobs: Mapped[int]
    done: Mapped[int] = mapped_column(server_default="0")
    #: How many are dead or cancelled.
    failed: Mapped[int] = mapped_column(server_default="0")
    #: The job to ask for in the transaction that ends the last of its jobs: {kind, args}.
    when_done: Mapped[dict[str, Any] | None]
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("job_flows_finished", "finished_at", postgresql_where=text("finished_at is not null")),
        Index("job_flows_open", "id", postgresql_where=text("finished_at is null")),
        Index("job_flows_failed", "id", postgresql_where=text("failed > 0")),
    )


class ParentRow(Row):
    """That a job of a flow waits for another one."""

    __tablename__ = "job_parents"

    child_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    parent_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    #: The parent has ended in a way that the child was waiting for, and is counted for it: once, however often it ends.
    is_met: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (Index("job_parents_parent", "parent_id"),)


class KeyRow(Row):
    """The job that a key stands for, for a time that may be longer than the job's own."""

    __tablename__ = "job_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None]
    until: Mapped[datetime] = mapped_column(index=True)


class AttemptRow(Row):
    """An attempt that did not complete its job: what went wrong, and where."""

    __tablename__ = "job_attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    worker_id: Mapped[UUID | None]
    outcome: Mapped[str]
    error: Mapped[str | None]
    traceback: Mapped[str | None]
    fingerprint: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (Index("job_attempts_finished", "finished_at"),)


class SnoozeRow(Row):
    """How often, and why, a job was put off without spending this attempt. One row however often that was: what is put
    off each minute for days has few.
    """

    __tablename__ = "job_snoozes"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    times: Mapped[int] = mapped_column(server_default="1")
    first_at: Mapped[datetime]
    #: Of the last time: when it was, until when, and why.
    at: Mapped[datetime]
    until: Mapped[datetime]
    why: Mapped[str]


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
    #: What it held when it last beat.
    memory_bytes: Mapped[int | None]
    is_draining: Mapped[bool] = mapped_column(server_default=text("false"))
    #: Jobs that were cancelled while they ran here and have not stopped: each still has a slot.
    lingering: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    beat_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class QueueRow(Row):
    """What was decided about a queue, by an operator or by one of its jobs. A queue without a row is open."""

    __tablename__ = "job_queues"

    name: Mapped[str] = mapped_column(primary_key=True)
    paused_at: Mapped[datetime | None]
    #: How many of it run at once, over all workers.
    max_running: Mapped[int | None]
    #: How many of it begin in so many seconds, and how many of those at once.
    rate_count: Mapped[int | None]
    rate_seconds: Mapped[int | None]
    rate_burst: Mapped[int | None]
    #: For how many days its finished jobs are kept.
    keep_days: Mapped[int | None]
    #: Whom all of it asks has asked for silence: until when, and which job was told so.
    closed_until: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]


class LimitRow(Row):
    """What jobs with one `limit_key` are held to. A key that ends in `/*` stands for each key of that kind by itself."""

    __tablename__ = "job_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    max_running: Mapped[int | None]
    rate_count: Mapped[int | None]
    rate_seconds: Mapped[int | None]
    rate_burst: Mapped[int | None]


class GateRow(Row):
    """Where the pacing of `queue/<name>` or `limit/<key>` stands. A gate without a row is open."""

    __tablename__ = "job_gates"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: GCRA's one number (ITU-T I.371): when the whole burst would be free again if nothing more began.
    full_at: Mapped[datetime | None]
    #: The other side has asked for silence, and until when.
    closed_at: Mapped[datetime | None]
    closed_until: Mapped[datetime | None]
    #: How many of the key run at once when that is over, at first: see `gates.ROOM_AGAIN`.
    lowered_to: Mapped[int | None]

    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class LimitHourRow(Row):
    """What became of the jobs of a limit in an hour; of one for a whole kind (`host/*`) all keys without a limit of their own."""

    __tablename__ = "job_limit_hours"

    key: Mapped[str] = mapped_column(primary_key=True)
    #: When the hour begins. A silence has a row of its own moment: whoever hears of one holds up nobody who begins.
    at: Mapped[datetime] = mapped_column(primary_key=True)
    began: Mapped[int] = mapped_column(server_default="0")
    #: How many of those it had held back, for how long in all, and the longest of them.
    waited: Mapped[int] = mapped_column(server_default="0")
    wait_seconds: Mapped[float] = mapped_column(Double(), server_default="0")
    longest_seconds: Mapped[float] = mapped_column(Double(), server_default="0")
    #: How often the other side asked for silence.
    silences: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class ScheduleRow(Row):
    """The last slot that a schedule has fired for. Moving it forward is what firing is, so two clocks fire once.

    What a person has decided stands here as well: another rhythm or a pause for one that the code names, or all of
    one of their own, which alone has a `kind`.
    """

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime]
    #: When it last asked for its job.
    fired_at: Mapped[datetime | None]
    #: When it last asked for nothing, because the job that it asked for before was still under way.
    skipped_at: Mapped[datetime | None]
    cron: Mapped[str | None]
    zone: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    kind: Mapped[str | None]
    args: Mapped[dict[str, Any] | None]
    made_by: Mapped[UUID | None]
