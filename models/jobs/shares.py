"""Fair shares: those who want much of a queue take turns with those who want little.

Start-time fair queueing (Goyal, Vin, Cheng 1996), with rows. A job of a share begins where the queue's turn is now,
and one step later for each of the same share that comes before it. So the order of claiming is settled when a job is
asked for, and claiming stays one scan in the order of rank. Nothing is remembered of a share but its waiting jobs:
who has been noisy is like anybody else once they are done.
"""

from bisect import bisect, insort
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import Statement, fetch
from models.jobs.rules import AGING, SHARE_STEP, rank

#: Who has more than so many waiting is far enough behind.
COUNTED: Final = 1000

#: The index `jobs_share` has these rows in the order of their times. By which they are ordered, or all jobs may be read.
_THEIRS: Final = "queue = wanted.queue and share_key = wanted.share and state in ('scheduled', 'waiting')"
_TURNS: Final = f"""
    select wanted.queue, wanted.share,
           (select count(*) from (
                   select from jobs where {_THEIRS} and run_at <= now() order by run_at limit {COUNTED}) due) as ahead,
           array(select run_at from jobs where {_THEIRS} and run_at > now() order by run_at limit {COUNTED}) as later,
           (select rank_at - $1::interval * priority from jobs
             where queue = wanted.queue and share_key is not null and state = 'waiting' and blocked_by is null
             order by rank_at limit 1) as begins_at
      from unnest($2::text[], $3::text[]) as wanted (queue, share)
"""  # noqa: S608 - our own words


class Placed(Protocol):
    """What has the columns that a job's place is made of."""

    @property
    def queue(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def share_key(self) -> str | None: ...


@dataclass(slots=True)
class Turn:
    """Where a share stands in a queue."""

    #: How many of its jobs wait there.
    ahead: int = 0
    #: For when others of them are scheduled, in order: they are before those that are scheduled later, and no others.
    later: list[datetime] = field(default_factory=list)
    #: Where the queue's turn is: the rank of the first waiting job of any share, as it is without priorities.
    begins_at: datetime | None = None

    def next(self, run_at: datetime, priority: int, *, is_scheduled: bool) -> datetime:
        """The rank of one more job."""
        begins_at = run_at if is_scheduled or self.begins_at is None else max(run_at, self.begins_at)
        place = rank(begins_at, priority) + SHARE_STEP * (self.ahead + bisect(self.later, run_at))
        if is_scheduled:
            insort(self.later, run_at)
        else:
            self.ahead += 1
        return place


async def turns(
    session: AsyncSession | Statement, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Turn]:
    """Where each (queue, share) stands."""
    if not wanted:
        return {}
    queues, shares = (list(names) for names in zip(*wanted, strict=True))
    rows = await fetch(session, _TURNS, AGING, queues, shares)
    return {(queue, share): Turn(*turn) for queue, share, *turn in rows}


async def rank_anew(session: AsyncSession, job: Placed, run_at: datetime, *, is_counted: bool) -> datetime:
    """The rank of a job that comes back to its queue: behind those of its share that are there by `run_at`, of whom it
    `is_counted` one itself if it waits, or is scheduled for then.

    Trying again is a turn like any other: whose jobs fail all the time would have all the turns.
    """
    if job.share_key is None:
        return rank(run_at, job.priority)
    (turn,) = (await turns(session, {(job.queue, job.share_key)})).values()
    turn.ahead -= is_counted
    return turn.next(run_at, job.priority, is_scheduled=False)
