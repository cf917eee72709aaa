"""How the jobs went, by the minute: counts, and how long they waited and ran.

Minutes are written from the rows of jobs, and those that may still change are written anew: however often, by whomever
and after whatever pause that is done, a job counts once. Waits and runs are kept as histograms, because those add up
over minutes and queues, and percentiles do not. What looks back further than an hour reads tens of minutes of queues,
and hours of kinds, which are added up as the minutes are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import accumulate, pairwise
from math import ceil, sqrt
from typing import Any, Final

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import first_id
from models.jobs.stepping import ENDED, queues_with

#: What a time is told as, in seconds: the preferred numbers of ISO 3 (R10), ten to the tenfold, from a millisecond to
#: about an hour. Each stands in the middle of its bucket, so that it is wrong by a seventh at most, and by nothing for
#: the round times that people choose.
TIMES: Final = tuple(
    number * 10.0**power for power in range(-3, 4) for number in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
)[:-3]
#: Where one bucket ends and the next begins.
_BOUNDS: Final = tuple(sqrt(low * high) for low, high in pairwise(TIMES))
#: A transaction that ended a job is committed within this time, or the job is not counted.
SETTLED: Final = timedelta(minutes=2)
#: After a longer pause, the minutes before are not made up.
LONGEST_PAUSE: Final = timedelta(days=1)
KEPT: Final = timedelta(days=35)
#: Single minutes, which are added up by then.
MINUTES_KEPT: Final = timedelta(days=2)
#: Of kinds, what the longest span looks at, and twice what is added up at once.
KINDS_KEPT: Final = timedelta(days=8)
KIND_MINUTES_KEPT: Final = timedelta(hours=2)
#: How many minutes are added up for the longer charts.
STEP: Final = timedelta(minutes=10)
HOUR: Final = timedelta(hours=1)
#: From when on steps are counted: a midnight, so that longer steps are made of whole ones.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _bucket(span: str) -> str:
    """SQL for the number of the bucket that a span falls into, from 0."""
    bounds = ", ".join(map(str, _BOUNDS))
    return f"width_bucket(extract(epoch from {span})::float8, array[{bounds}]::float8[])"


def _histogram(bucket: str) -> str:
    """SQL for an array of how many rows are in each bucket."""
    counts = ", ".join(f"count(*) filter (where {bucket} = {number})" for number in range(len(TIMES)))
    return f"array[{counts}]"


def _added(histograms: str) -> str:
    """SQL for the sum of histograms, bucket by bucket."""
    sums = (f"coalesce(sum({histograms}[{place}]), 0)::bigint" for place in range(1, len(TIMES) + 1))
    return f"array[{', '.join(sums)}]"


_NUMBERS: Final = "asked, completed, failed, dead, waits, runs"
#: A sum for each bucket: to make rows of the buckets and add those up takes five times as long.
_SUMS: Final = f"""sum(asked)::bigint as asked, sum(completed)::bigint as completed, sum(failed)::bigint as failed,
    sum(dead)::bigint as dead, {_added("waits")} as waits, {_added("runs")} as runs"""
_ANEW: Final = """set asked = excluded.asked, completed = excluded.completed, failed = excluded.failed,
    dead = excluded.dead, waits = excluded.waits, runs = excluded.runs"""
_EMPTY: Final = f"array[{', '.join(['0'] * len(TIMES))}]::bigint[]"

#: Queues are stepped through by the index of what has finished.
_ROLL_UP: Final = text(
    f"""
    with recursive {queues_with(ENDED, name="queues")},
    ended as (
        select date_trunc('minute', one.finished_at, 'UTC') as minute, queue, kind,
               count(*) filter (where state = 'completed') as completed, count(*) filter (where state = 'dead') as dead,
               {_histogram("waited")} as waits, {_histogram("ran")} as runs
          from queues cross join lateral (
               -- `offset 0`: a bucket is found once for a job, not once for each count.
               select queue, kind, state, finished_at, {_bucket("greatest(started_at - run_at, interval '0')")} as waited,
                      {_bucket("finished_at - started_at")} as ran
                 from jobs where queue = queues.name and finished_at >= :since
                  and state in ('completed', 'dead') and started_at is not null offset 0) one
         group by 1, 2, 3),
    failed as (
        select date_trunc('minute', a.finished_at, 'UTC') as minute, queue, kind, count(*) as failed
          from job_attempts a join jobs on jobs.id = a.job_id
         where a.finished_at >= :since
           and (a.outcome = 'failed' or a.outcome = 'worker died' and a.attempt < jobs.max_attempts) group by 1, 2, 3),
    asked as (
        select date_trunc('minute', created_at, 'UTC') as minute, queue, kind, count(*) as asked
          from jobs where id >= :first_id and created_at >= :since group by 1, 2, 3),
    went as (
        select minute, queue, kind, coalesce(asked, 0) as asked, coalesce(completed, 0) as completed,
               coalesce(failed, 0) as failed, coalesce(dead, 0) as dead, coalesce(waits, {_EMPTY}) as waits,
               coalesce(runs, {_EMPTY}) as runs
          from ended full join failed using (minute, queue, kind) full join asked using (minute, queue, kind)),
    of_kinds as (
        insert into job_kind_minutes (minute, kind, {_NUMBERS})
        select minute, kind, {_SUMS} from went group by 1, 2
            on conflict (minute, kind) do update {_ANEW})
    insert into job_metrics (minute, queue, {_NUMBERS})
    select minute, queue, {_SUMS} from went group by 1, 2
        on conflict (minute, queue) do update {_ANEW}
    """  # noqa: S608 - our own numbers
)


def _add_up(minutes: str, steps: str, of: str) -> TextClause:
    return text(
        f"""
        insert into {steps} (at, {of}, {_NUMBERS})
        select date_bin(:step, minute, :epoch), {of}, {_SUMS}
          from {minutes} where minute >= date_bin(:step, :since, :epoch) group by 1, 2
            on conflict (at, {of}) do update {_ANEW}
        """  # noqa: S608 - our own words
    )


_ADD_UP: Final = (
    (_add_up("job_metrics", "job_metric_steps", of="queue"), STEP),
    (_add_up("job_kind_minutes", "job_kind_hours", of="kind"), HOUR),
)
#: The latest minute, and the first of the last day that a release with other buckets has written.
_LATEST: Final = text(
    f"""
    select max(minute) as latest, min(minute) filter (where cardinality(waits) <> {len(TIMES)}) as other
      from job_metrics where minute >= :since
    """  # noqa: S608 - our own number
)
#: Each roll-up writes the latest minute anew, and so gives its row another `xmin`: the transaction that wrote it.
_EDITION: Final = text("select xmin::text from job_metrics order by minute desc, queue desc limit 1")
_FORGET: Final = (
    (text("delete from job_metrics where minute < :before"), MINUTES_KEPT),
    (text("delete from job_metric_steps where at < :before"), KEPT),
    (text("delete from job_kind_minutes where minute < :before"), KIND_MINUTES_KEPT),
    (text("delete from job_kind_hours where at < :before"), KINDS_KEPT),
)


def _history(table: str, at: str) -> TextClause:
    return text(
        f"""
        select date_bin(:step, {at}, :since) as at, {_SUMS}
          from {table}
         where {at} >= :since and {at} < :until and (cast(:queue as text) is null or queue = :queue)
         group by 1
        """  # noqa: S608 - our own words
    )


def _of_kinds(table: str, at: str) -> TextClause:
    return text(
        f"select kind, {_SUMS} from {table} where {at} >= :since and {at} < :until group by kind"  # noqa: S608 - our own words
    )


_BY_MINUTE: Final = _history("job_metrics", "minute")
_BY_STEP: Final = _history("job_metric_steps", "at")
_KINDS_BY_MINUTE: Final = _of_kinds("job_kind_minutes", "minute")
_KINDS_BY_HOUR: Final = _of_kinds("job_kind_hours", "at")


class Span(Enum):
    """How far back a chart looks, and how long each of its steps is: there are 60 to 84, more than an eye tells apart."""

    HOUR = (timedelta(hours=1), timedelta(minutes=1))
    DAY = (timedelta(days=1), timedelta(minutes=20))
    WEEK = (timedelta(days=7), timedelta(hours=2))

    @property
    def length(self) -> timedelta:
        """The whole of it."""
        return self.value[0]

    @property
    def step(self) -> timedelta:
        """A point's part of it."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Point:
    """What became of jobs in the step, or the span, that begins `at`. The times are None if no job ended in it."""

    at: datetime
    asked: int = 0
    completed: int = 0
    #: Attempts that were to be repeated.
    failed: int = 0
    dead: int = 0
    wait_p50: timedelta | None = None
    wait_p95: timedelta | None = None
    run_p50: timedelta | None = None
    run_p95: timedelta | None = None


async def roll_up(session: AsyncSession, at: datetime) -> None:
    """Write the minutes that are not settled yet, with the present one as far as it has come."""
    written = (await session.execute(_LATEST, {"since": at - LONGEST_PAUSE})).one()
    # A minute from before the clock was set back is in the future.
    since = min(written.other or at, written.latest or at - LONGEST_PAUSE, at)
    since = since.replace(second=0, microsecond=0) - SETTLED
    await session.execute(_ROLL_UP, {"since": since, "first_id": first_id(since - SETTLED)})
    for statement, step in _ADD_UP:
        await session.execute(statement, {"since": since, "step": step, "epoch": _EPOCH})
    for statement, kept in _FORGET:
        await session.execute(statement, {"before": at - kept})


async def edition(session: AsyncSession) -> str | None:
    """What changes whenever minutes are written, so that it tells whether they have to be read again. None: there are none."""
    written: str | None = await session.scalar(_EDITION)
    return written


async def history(
    session: AsyncSession, span: Span, *, queue: str | None = None, at: datetime | None = None
) -> Sequence[Point]:
    """Every step of the span that ends at `at`, the oldest first, of one queue or of all."""
    until = _floor(at or now(), span.step) + span.step
    since = until - span.length
    asked = {"step": span.step, "since": since, "until": until, "queue": queue}
    found = {}
    for row in await session.execute(_BY_MINUTE if span.step < STEP else _BY_STEP, asked):
        found[row.at] = _point(row.at, row)
    steps = (since + number * span.step for number in range(span.length // span.step))
    return [found.get(step, Point(step)) for step in steps]


async def history_of_kinds(
    session: AsyncSession, span: Span, *, at: datetime | None = None
) -> dict[str, Point]:
    """The whole span that ends at `at`, for each kind of which something was asked for or ended in it. A day and a week
    are told by the clock's hours, so that the first of them is left out as far as the last has come.
    """
    statement, step = (_KINDS_BY_MINUTE, span.step) if span is Span.HOUR else (_KINDS_BY_HOUR, HOUR)
    until = _floor(at or now(), step) + step
    since = until - span.length
    rows = await session.execute(statement, {"since": since, "until": until})
    return {row.kind: _point(since, row) for row in rows}


def _point(at: datetime, row: Row[Any]) -> Point:
    return Point(
        at,
        asked=row.asked,
        completed=row.completed,
        failed=row.failed,
        dead=row.dead,
        wait_p50=percentile(row.waits, 0.5),
        wait_p95=percentile(row.waits, 0.95),
        run_p50=percentile(row.runs, 0.5),
        run_p95=percentile(row.runs, 0.95),
    )


def percentile(histogram: Sequence[int], part: float) -> timedelta | None:
    """The time that `part` (0 to 1) of the jobs did not exceed, as the middle of its bucket; None for no jobs."""
    rank = max(1, ceil(part * sum(histogram)))
    below = accumulate(histogram)
    return next(
        (timedelta(seconds=time) for time, count in zip(TIMES, below, strict=True) if count >= rank), None
    )


def _floor(at: datetime, step: timedelta) -> datetime:
    return _EPOCH + (at - _EPOCH) // step * step
