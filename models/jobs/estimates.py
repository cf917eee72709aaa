"""How long work takes, told from what was finished lately: never a constant."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.tables import JobRow

#: The latest jobs of the queue that are looked at, so that the question costs the same however many were finished.
LOOKED_AT: Final = 1000
#: Further back the place in line is not counted out.
COUNTED: Final = 1000

_PACE = text(
    f"""
    select count(*) as seen,
           percentile_cont(array[0.5, 0.9]) within group (order by recent.finished_at - recent.started_at) as runs,
           percentile_cont(0.9) within group (order by recent.started_at - recent.run_at) as waited
      from (select kind, state, run_at, started_at, finished_at from jobs
             where queue = :queue and finished_at is not null order by finished_at desc limit {LOOKED_AT}) recent
     where recent.kind = :kind and recent.state = 'completed'
    """  # noqa: S608 - our own number
)
_BEFORE = text(
    f"""
    with usual as (
        select kind, avg(greatest(finished_at - started_at, interval '0')) as run
          from (select kind, state, started_at, finished_at from jobs
                 where queue = :queue and finished_at is not null order by finished_at desc limit {LOOKED_AT}) recent
         where state = 'completed' group by kind),
    waiting as (
        select kind from jobs where queue = :queue and state = 'waiting' and blocked_by is null
           and (rank_at, id) < (:rank_at, :job_id) order by rank_at, id limit {COUNTED}),
    work as (
        select coalesce(run, (select avg(run) from usual)) as left from waiting left join usual using (kind)
         union all
        select greatest(coalesce(run, (select avg(run) from usual)) - (clock_timestamp() - started_at), interval '0')
          from jobs left join usual using (kind) where queue = :queue and state = 'active')
    select (select count(*) from waiting) as ahead, (select sum(work.left) from work where exists (select from usual)) as work
    """  # noqa: S608 - our own numbers
)
_SLOTS = text(
    """
    select coalesce(sum(cast(queues ->> cast(:queue as text) as int)), 0) from job_workers
     where not is_draining and beat_at > now() - cast(:lease as interval)
    """
)
_LINGERING = text(
    """
    select count(*) from job_workers worker cross join unnest(worker.lingering) as lingering (job_id)
      join jobs on jobs.id = lingering.job_id and jobs.queue = :queue
     where not is_draining and beat_at > now() - cast(:lease as interval)
    """
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How jobs of one kind went lately: the median and the slowest tenth of running, and the slowest of waiting for a slot."""

    count: int
    run_usual: timedelta
    run_slow: timedelta
    wait_slow: timedelta


@dataclass(frozen=True, slots=True)
class Expected:
    """When a waiting job will be done: as it usually goes, and in nine of ten cases."""

    usual: timedelta
    slow: timedelta


async def pace(session: AsyncSession, kind: str, queue: str) -> Pace | None:
    """How the latest jobs of this kind went; None if none of them is known."""
    row = (await session.execute(_PACE, {"kind": kind, "queue": queue})).one()
    if not row.seen:
        return None
    # A clock that was set back must not promise the past.
    spans = [max(one, timedelta()) for one in (*row.runs, row.waited)]
    return Pace(row.seen, *spans)


async def slots(session: AsyncSession, queue: str, lease: timedelta) -> int:
    """How many jobs of a queue the living workers run at once; 0 when there is none."""
    return int((await session.execute(_SLOTS, {"queue": queue, "lease": lease})).scalar_one())


async def lingering(session: AsyncSession, queue: str, lease: timedelta) -> int:
    """How many of those slots are kept by jobs that were cancelled and do not stop."""
    return int((await session.execute(_LINGERING, {"queue": queue, "lease": lease})).scalar_one())


async def before(session: AsyncSession, job: JobRow) -> tuple[int, timedelta | None]:
    """How many jobs are claimed before one that waits, counted to `COUNTED`, and for how long these and those that run
    would keep one slot busy; None if nothing of its queue was completed lately.

    Each kind by its own mean: what stands before a job need not be like it.
    """
    place = {"queue": job.queue, "rank_at": job.rank_at, "job_id": job.id}
    row = (await session.execute(_BEFORE, place)).one()
    work: timedelta | None = row.work
    return row.ahead, work


def expected(pace: Pace, work: timedelta, slots: int) -> Expected:
    """When a job with so much `work` before it (see `before`) will be done.

    That work is shared by the slots, then the job runs itself. In the slow case everything takes longer by as much as
    jobs of its kind do. Without a living worker it is counted as for one slot.
    """
    wait = work / max(slots, 1)
    slower = pace.run_slow / pace.run_usual if pace.run_usual else 1.0
    return Expected(wait + pace.run_usual, wait * slower + pace.run_slow)
