"""What is not as it should be with the jobs: opened once, resolved when it is over, told both times."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, page_of
from models.jobs.board_tables import AlertRow
from models.jobs.enqueue import Wish, enqueue_all
from models.jobs.jobs import TellOfAlert
from models.jobs.message import kinds
from models.jobs.states import AlertKind
from models.jobs.stepping import CLAIMABLE, limits_that_block, queues_with

ALERTS_SHOWN: Final = 100

#: Every trouble there is now, as (kind, subject, words). A backlog is counted to its threshold and no further. A limit may
#: hold jobs back, that is what it is for: they count once they have waited for too long. What no worker knows is looked
#: for among what is put off for minutes, as that is.
_WATCH: Final = text(
    f"""
    with recursive {queues_with(CLAIMABLE, name="lines")}, {limits_that_block(name="parked")},
    ready as (
        select lines.name, first.run_at, false as is_limited
          from lines cross join lateral (
               select run_at from jobs where queue = lines.name and state = 'waiting' and blocked_by is null
                order by rank_at, id limit :waiting + 1) first),
    limited as (
        select first.queue, first.run_at, true
          from parked cross join lateral (
               select queue, run_at from jobs where blocked_by = parked.name and state = 'waiting'
                order by rank_at, id limit :waiting + 1) first
         where starts_with(parked.name, 'limit/') and first.run_at < clock_timestamp() - cast(:oldest as interval)),
    waiting as (
        select name, count(*), to_char(min(run_at) at time zone 'UTC', 'HH24:MI "UTC"') as since, min(run_at) as oldest_at,
               case when bool_or(is_limited) then ' A limit holds jobs of it back.' else '' end as more
          from (select * from ready union all select * from limited) line
         where not exists (select from job_queues q where q.name = line.name and q.paused_at is not null)
         group by name),
    -- Of each worker the one that is over its time for longest: those beside a runner that blocks it stand still with it.
    overdue as (
        select distinct on (worker.id) job.id, job.kind, job.started_at, worker.host, worker.pid, known.value as timeout,
               count(*) over (partition by worker.id) - 1 as more
          from job_workers worker
          join jobs job on job.worker_id = worker.id and job.state = 'active'
          join jsonb_each_text(cast(:timeouts as jsonb)) known on known.key = job.kind
         cross join lateral (select job.started_at + cast(known.value as float8) * interval '1 second' as ends_at) due
         where worker.beat_at >= clock_timestamp() - cast(:lease as interval)
           and ends_at < clock_timestamp() - cast(:grace as interval)
         order by worker.id, ends_at),
    troubles (kind, subject, words) as (
        select 'backlog', name, 'More than ' || :waiting || ' jobs wait in the queue ' || name || '.' || more
          from waiting where count > :waiting
         union all
        select 'slow', name, 'A job has waited in the queue ' || name || ' since ' || since || '.' || more
          from waiting
         where oldest_at < clock_timestamp() - cast(:oldest as interval)
         union all
        select 'slow', name, 'The queue ' || name || ' has been paused since '
               || to_char(paused_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
               || ', and jobs wait in it. Let it go on, or cancel them.'
          from job_queues
         where paused_at < clock_timestamp() - cast(:longest_pause as interval)
           and exists (select from jobs where queue = name and state = 'waiting' and blocked_by is null)
        union all
        select 'slow', 'jobs/' || id, 'The job ' || id || ' of the kind ' || kind || ' has run since '
               || to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') || ', and its timeout is ' || timeout
               || ' s. It blocks its process, or does not let itself be cut off.'
               || case when more > 0 then ' So late are ' || more || ' more beside it.' else '' end
               || ' End the worker ' || host || ' (process ' || pid || '), by force if need be: its jobs go to others.'
          from overdue
        union all
        select 'slow', 'jobs/' || job.id, 'The job ' || job.id || ' of the kind ' || job.kind || ' was cancelled and does not'
               || ' stop: it keeps a slot of the worker ' || host || ' (process ' || pid || '). End that worker, by force if'
               || ' need be: its jobs go to others.'
          from job_workers worker
         cross join unnest(worker.lingering) as lingering (job_id)
          join jobs job on job.id = lingering.job_id
         where worker.beat_at >= clock_timestamp() - cast(:lease as interval)
           and job.finished_at < clock_timestamp() - cast(:grace as interval)
        union all
        -- By their last attempts, which have an index by time (for `now()`, which stands still): dead jobs pile up, and
        -- are few among all that finished.
        select 'failures', kind, count(*) || ' jobs of the kind ' || kind || ' died within an hour.'
          from job_attempts tried join jobs on jobs.id = tried.job_id and jobs.attempt = tried.attempt
         where tried.finished_at > now() - interval '1 hour' and jobs.state = 'dead'
         group by kind having count(*) >= :dead
         union all
        select 'dead worker', host || ' ' || pid,
               'The worker ' || host || ' (process ' || pid || ') has not been heard of. Its jobs go to others.'
          from job_workers gone
         where beat_at < clock_timestamp() - cast(:lease as interval)
           -- Told for a while, and for as long as nobody has taken its place.
           and (beat_at > clock_timestamp() - cast(:told_for as interval)
                or exists (select from jobs where worker_id = gone.id and state = 'active')
                or exists (select from jsonb_object_keys(gone.queues) served
                            where not exists (select from job_workers other
                                               where other.beat_at >= clock_timestamp() - cast(:lease as interval)
                                                 and not other.is_draining and other.queues ? served)))
           -- Whose death was told and is over has nothing more to tell, though its queues are left alone for a moment.
           and not exists (select from job_alerts told
                            where told.kind = 'dead worker' and told.subject = host || ' ' || pid
                              and told.opened_at > gone.beat_at and told.resolved_at is not null)
         union all
        select distinct 'unknown kind', kind,
               'No worker knows the kind ' || kind || '. Jobs of it have waited for more than a day.'
          from jobs where state = 'scheduled' and run_at < now() + interval '10 minutes' and snoozes > 0
                      and created_at < clock_timestamp() - cast(:patience as interval) and kind <> all(:known)),
    opened as (
        insert into job_alerts (id, kind, subject, words)
        select gen_random_uuid(), kind, subject, words from troubles where true
            on conflict (kind, subject) where resolved_at is null do nothing
        returning id, false as is_over),
    resolved as (
        update job_alerts a set resolved_at = clock_timestamp()
         where resolved_at is null
           -- A pause that is over has nothing to tell, even if its jobs are late: that is another matter.
           and not exists (select from troubles t where t.kind = a.kind and t.subject = a.subject
                              and starts_with(t.words, 'The queue ') = starts_with(a.words, 'The queue '))
           -- Every now and then one of them is with a worker for a moment, which puts it off again.
           and not (a.kind = 'unknown kind' and a.subject <> all(:known) and exists (
                    select from jobs where kind = a.subject and state in ('scheduled', 'waiting', 'active')))
        returning id, true as is_over)
    select * from opened union all select * from resolved
    """  # noqa: S608 - our own words, not a request's
)
#: A job of a kind that no worker knows belongs to a release that is being rolled out; after so long, to none.
PATIENCE: Final = timedelta(days=1)
#: A worker that has died and has been replaced is an alert for so long.
TOLD_FOR: Final = timedelta(minutes=10)
#: A job that has run for so much longer than its timeout does not end by itself.
GRACE: Final = timedelta(minutes=1)
#: A queue that is paused for longer, and in which jobs wait, was forgotten.
LONGEST_PAUSE: Final = timedelta(hours=1)
_FORGET: Final = text("delete from job_alerts where resolved_at < now() - interval '90 days'")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on something is worth a letter."""

    #: Jobs that wait in one queue.
    waiting: int
    #: How long the oldest of them has waited.
    oldest: timedelta
    #: Jobs of one kind that died within an hour.
    dead: int
    #: How long a worker may be silent.
    lease: timedelta


async def watch(session: AsyncSession, thresholds: Thresholds) -> None:
    """Open and resolve alerts, and ask for each to be told. A paused queue does as it was told: it is
    in trouble only once the pause seems forgotten.
    """
    known = kinds()
    timeouts = {kind: f"{one.timeout.total_seconds():g}" for kind, one in known.items()}
    asked = {
        "waiting": thresholds.waiting,
        "oldest": thresholds.oldest,
        "dead": thresholds.dead,
        "lease": thresholds.lease,
        "patience": PATIENCE,
        "longest_pause": LONGEST_PAUSE,
        "told_for": TOLD_FOR,
        "known": sorted(known),
        "timeouts": orjson.dumps(timeouts).decode(),
        "grace": GRACE,
    }
    news = (await session.execute(_WATCH, asked)).all()
    await enqueue_all(
        session,
        [Wish(TellOfAlert(alert_id=row.id, is_over=row.is_over), subject=subject_of(row.id)) for row in news],
    )
    if news:
        changed(session, "alerts")
    await session.execute(_FORGET)


def subject_of(alert_id: UUID) -> str:
    """What the jobs that tell of an alert are about, its letters included."""
    return f"alert/{alert_id}"


def address_of(alert: AlertRow) -> str:
    """The page of the board that an alert is about: of a queue or a job (`jobs/<id>`), the workers, the jobs of a kind."""
    match alert.kind:
        case AlertKind.DEAD_WORKER:
            return "/admin/queues/workers"
        case AlertKind.FAILURES:
            return "/admin/queues/jobs?" + urlencode({"q": f"state:dead kind:{alert.subject}"})
        case AlertKind.UNKNOWN_KIND:
            return "/admin/queues/jobs?" + urlencode({"q": f"kind:{alert.subject}"})
        case _:
            return f"/admin/queues/{alert.subject}"


async def alerts(session: AsyncSession) -> Sequence[AlertRow]:
    """The alerts that are open, the latest first."""
    query = select(AlertRow).where(AlertRow.resolved_at.is_(None)).order_by(AlertRow.opened_at.desc())
    return (await session.scalars(query.limit(ALERTS_SHOWN))).all()


async def past_alerts(session: AsyncSession, cursor: str | None = None) -> Page[AlertRow]:
    """Those that are over, the latest first. Raises `Invalid` for a cursor that we did not make."""
    query = select(AlertRow).where(AlertRow.resolved_at.is_not(None))
    if cursor is not None:
        place = decode_cursor(cursor, instant, UUID)
        query = query.where(tuple_(AlertRow.opened_at, AlertRow.id) < place)
    query = query.order_by(AlertRow.opened_at.desc(), AlertRow.id.desc()).limit(PAGE_SIZE + 1)
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.opened_at, one.id])
