"""The platform at a glance: every queue and every worker, at a price that does not grow with what waits.

Nothing here counts a million rows: a number that is larger than `MOST_COUNTED` is told as that.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import and_, func, literal, select, text, true, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.jobs.message import kinds
from models.jobs.queries import UNREAD, arms_of
from models.jobs.states import JobState
from models.jobs.stepping import CLAIMABLE, queues_with
from models.jobs.tables import JobRow, WorkerRow

#: A longer line is not counted to its end.
MOST_COUNTED: Final = 5_000
#: A queue whose oldest job has waited for so long is not well, whatever else is true of it.
TOO_LONG: Final = timedelta(minutes=5)
#: Of the jobs that a worker runs, and of the latest of a queue, so many are told one by one.
RUNNING_SHOWN: Final = 4
LATEST_SHOWN: Final = 10
#: How much of a rate's burst is taken, by the gate's one number: see `gates`.
USED: Final = """least(rate_burst,
           ceil(greatest(extract(epoch from gate.full_at - clock_timestamp()), 0) * rate_count / rate_seconds))::int"""

#: Every queue that code, a worker, an operator or a waiting job names.
_QUEUES: Final = text(
    f"""
    with recursive {queues_with(CLAIMABLE, name="lines")},
    held as (
        select queue, count(*) from (
               select queue from jobs where blocked_by is not null and state = 'waiting' limit :most + 1) blocked
         group by queue),
    names as (
        select unnest(cast(:known as text[])) as name
         union select name from job_queues
         union select jsonb_object_keys(queues) from job_workers
         union select queue from held
         union select name from lines where name is not null)
    select names.name, waiting.count as waiting, oldest.oldest_at, coalesce(held.count, 0) as held,
           (select sum(count) from held) > :most is true as are_more_held,
           coalesce(active.count, 0) as running, coalesce(slots.count, 0) as slots, job_queues.paused_at,
           job_queues.max_running, job_queues.rate_count, job_queues.rate_seconds, job_queues.rate_burst,
           job_queues.keep_days, {USED} as used,
           case when job_queues.closed_until > now() then job_queues.closed_until end as closed_until, job_queues.closed_by,
           coalesce(lately.per_minute, 0) as per_minute, coalesce(lately.failed, 0) as failed
      from names
      left join job_queues using (name)
      left join job_gates gate on gate.name = 'queue/' || names.name
      left join (select queue, sum(failed + dead)::bigint as failed,
                        sum(completed) filter (where minute >= date_trunc('minute', now()) - interval '5 minutes'
                                                 and minute < date_trunc('minute', now()))::float8 / 5 as per_minute
                   from job_metrics where minute > now() - interval '1 hour' group by queue) lately
             on lately.queue = names.name
      left join held on held.queue = names.name
      left join (select queue, count(*) from jobs where state = 'active' group by queue) active on active.queue = names.name
      left join (select key, sum(cast(value as int)) as count
                   from job_workers cross join lateral jsonb_each_text(queues)
                  where not is_draining and beat_at > now() - cast(:lease as interval) group by key) slots
             on slots.key = names.name
     cross join lateral (
           select count(*) from (
                  select from jobs where queue = names.name and state = 'waiting' and blocked_by is null
                   limit :most + 1) line) waiting
     cross join lateral (
           select min(run_at) as oldest_at
             from (select run_at from jobs where queue = names.name and state = 'waiting' and blocked_by is null
                    order by rank_at, id limit 100) first) oldest
     where cast(:only as text) is null or names.name = :only
     order by names.name
    """  # noqa: S608 - our own words, not a request's
)


class Health(StrEnum):
    """How a queue does. A queue that somebody has paused is never unwell: it does what it was told."""

    PAUSED = "paused"
    NO_WORKER = "no worker"
    FULL = "at capacity with a backlog"
    SLOW = "waiting too long"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue now. `waiting` may be claimed, `held` wait for a limit or for other jobs. Of those that may be claimed one
    more than `MOST_COUNTED` are counted, of those that are held as many in all queues together: with `are_more_held`
    there are others, of this queue or another. `oldest_at` is that of the hundred that are claimed next. `slots` are
    those of living workers, the limits those of all workers together.
    """

    name: str
    waiting: int
    held: int
    are_more_held: bool
    oldest_at: datetime | None
    running: int
    slots: int
    paused_at: datetime | None
    max_running: int | None
    rate_count: int | None
    rate_seconds: int | None
    rate_burst: int | None
    #: For how many days what has finished is kept; None as the installation is set up.
    keep_days: int | None
    #: How much of `rate_burst` is taken now.
    used: int | None
    #: Until when it is silent; None if it is not. Which job was told so.
    closed_until: datetime | None
    closed_by: UUID | None
    #: Done in a minute, over the last five that are whole; attempts that failed within the hour.
    per_minute: float
    failed: int
    at: datetime

    @property
    def room(self) -> int:
        """How many of its jobs may run at once."""
        return self.slots if self.max_running is None else min(self.slots, self.max_running)

    @property
    def health(self) -> Health:
        """The first thing that is to be said of it."""
        if self.paused_at is not None:
            return Health.PAUSED
        if not self.slots:
            return Health.NO_WORKER if self.waiting else Health.WELL
        if self.oldest_at is not None and self.at - self.oldest_at > TOO_LONG:
            return Health.SLOW
        if self.waiting and self.running >= self.room:
            return Health.FULL
        return Health.WELL


@dataclass(frozen=True, slots=True)
class Running:
    """What of a running job is told beside its worker."""

    id: UUID
    kind: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker, how many jobs it runs, and the first of them. One that is silent for a lease is taken for dead."""

    row: WorkerRow
    count: int
    running: Sequence[Running]
    is_alive: bool


async def queues(session: AsyncSession, lease: timedelta, only: str | None = None) -> list[QueueView]:
    """Every queue, by its name; or the `only` one, if there is one of that name."""
    known = sorted({job.queue for job in kinds().values()})
    rows = await session.execute(
        _QUEUES, {"known": known, "lease": lease, "most": MOST_COUNTED, "only": only}
    )
    at = now()
    return [QueueView(**row, at=at) for row in rows.mappings()]


async def workers(session: AsyncSession, lease: timedelta) -> list[WorkerView]:
    """Every worker that has beaten within the last hour, the living before the silent, the longest at work first, with
    what it runs.
    """
    is_alive = WorkerRow.beat_at > func.clock_timestamp() - lease
    held = (JobRow.worker_id == WorkerRow.id, JobRow.state == JobState.ACTIVE)
    count = select(func.count()).select_from(JobRow).where(*held).scalar_subquery()
    query = select(WorkerRow, count, is_alive).order_by(is_alive.desc(), WorkerRow.started_at)
    rows = (await session.execute(query)).all()
    told = select(JobRow.worker_id, JobRow.id, JobRow.kind, JobRow.started_at)
    first = told.where(*held).order_by(JobRow.id).limit(RUNNING_SHOWN).lateral()
    running: dict[UUID, list[Running]] = {}
    for worker_id, *job in await session.execute(select(first).select_from(WorkerRow).join(first, true())):
        running.setdefault(worker_id, []).append(Running(*job))
    return [WorkerView(row, number, running.get(row.id, ()), alive) for row, number, alive in rows]


async def names_of(session: AsyncSession, worker_ids: Collection[UUID]) -> dict[UUID, str]:
    """Where these workers are, as far as they are still known: a row is kept for an hour after its last beat."""
    query = select(WorkerRow.id, WorkerRow.host, WorkerRow.pid).where(WorkerRow.id.in_(worker_ids))
    return {row.id: f"{row.host}, pid {row.pid}" for row in await session.execute(query)}


async def latest(session: AsyncSession, queue: str) -> Sequence[JobRow]:
    """Jobs of a queue that run, that wait as the last of its line, and that have ended last: the latest of those."""
    mine = JobRow.queue == queue
    waits = and_(JobRow.state == JobState.WAITING, JobRow.blocked_by.is_(None))
    places = (
        select(JobRow.id).where(mine, JobRow.state == JobState.ACTIVE),
        select(JobRow.id).where(mine, waits).order_by(JobRow.rank_at.desc(), JobRow.id.desc()),
        select(JobRow.id).where(mine, JobRow.finished_at.is_not(None)).order_by(JobRow.finished_at.desc()),
    )
    ids = union_all(*(select(one.limit(LATEST_SHOWN).subquery().c.id) for one in places))
    query = select(JobRow).options(*UNREAD).where(JobRow.id.in_(ids)).order_by(JobRow.id.desc())
    return (await session.scalars(query.limit(LATEST_SHOWN))).all()


async def counts(
    session: AsyncSession, states: Collection[JobState] = tuple(JobState)
) -> dict[JobState, int]:
    """How many jobs are in each of these states, each counted to one more than `MOST_COUNTED`."""
    numbers = []
    for state in states:
        arms = [select(literal(1).label("one")).where(arm) for arm in arms_of(state)]
        some = union_all(*arms).limit(MOST_COUNTED + 1).subquery()
        numbers.append(select(func.count()).select_from(some).scalar_subquery())
    return dict(zip(states, (await session.execute(select(*numbers))).one(), strict=True))
