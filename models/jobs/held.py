"""What limits hold back: each limit, now and by the hours that `gates` counts, and each key that lets nothing more begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of, word
from models.jobs.board import MOST_COUNTED, USED
from models.jobs.gates import rooms_of_keys
from models.jobs.stepping import limits_that_block

#: Full keys that are told one by one, and how many of those that hold jobs back are looked at for it.
KEYS_SHOWN: Final = 25
_KEYS_SEEN: Final = 200

#: A key by itself is one step into an index; only one that stands for its whole kind looks along all that is parked.
_LIMITS: Final = text(
    f"""
    select held.key, held.max_running, held.rate_count, held.rate_seconds, held.rate_burst, {USED} as used,
           case when held.key like '%/*' then
               (select count(*) from (
                       select from jobs
                        where blocked_by is not null and state in ('scheduled', 'waiting')
                          and starts_with(blocked_by, 'limit/' || left(held.key, -1)) limit :most + 1) parked)
           else
               (select count(*) from (
                       select from jobs
                        where blocked_by = 'limit/' || held.key and state in ('scheduled', 'waiting')
                        limit :most + 1) parked)
           end as waiting,
           (select count(*) from jobs
             where state = 'active' and limit_key is not null
               and (limit_key = held.key
                    or held.key like '%/*' and starts_with(limit_key, left(held.key, -1)))) as running,
           day.*
      from job_limits held left join job_gates gate on gate.name = 'limit/' || held.key
     cross join lateral (
           select coalesce(sum(began), 0)::bigint as began, coalesce(sum(waited), 0)::bigint as waited,
                  make_interval(secs => sum(wait_seconds) / nullif(sum(waited), 0)) as mean_wait,
                  make_interval(secs => max(longest_seconds)) as longest_wait,
                  coalesce(sum(silences), 0)::bigint as silences
             from job_limit_hours where key = held.key and at > now() - interval '24 hours') day
     where cast(:after as text) is null or held.key > :after
     order by held.key limit :size
    """  # noqa: S608 - our own words, not a request's
)

#: Only what runs, is parked or has gone through a gate lately can be full. Parked keys are stepped through by the index.
_FULL: Final = text(
    f"""
    with recursive {limits_that_block(name="parked")},
    keys (name) as (
         select substr(name, 7) from (select name from parked limit :seen) first where starts_with(name, 'limit/')
          union
         select limit_key from jobs where limit_key is not null and state = 'active'
          union
         select substr(name, 7) from job_gates
          where starts_with(name, 'limit/') and greatest(full_at, closed_until) > clock_timestamp())
    select key.name as key, key.running, key.max_running, held.count as waiting, oldest.run_at as oldest_at,
           case when key.next_in > 0
                then date_trunc('second', clock_timestamp() + key.next_in * interval '1 second') end as opens_at,
           case when key.closed > 0 then gate.closed_at end as closed_at,
           case when key.closed > 0 then gate.closed_until end as closed_until
      from ({rooms_of_keys("keys as wanted")}) key
      left join job_gates gate on gate.name = 'limit/' || key.name
     cross join lateral (
           select count(*) from (
                  select from jobs where blocked_by = 'limit/' || key.name and state in ('scheduled', 'waiting')
                   limit :most + 1) parked) held
      left join lateral (
           select run_at from jobs where blocked_by = 'limit/' || key.name and state in ('scheduled', 'waiting')
            order by rank_at, id limit 1) oldest on true
     where key.room = 0 or held.count > 0
     order by held.count desc, key.name limit :shown
    """  # noqa: S608 - our own words, not a request's
)


@dataclass(frozen=True, slots=True)
class LimitView:
    """What the jobs of a key are held to, how many of them run, and how many it lets wait."""

    key: str
    max_running: int | None
    rate_count: int | None
    rate_seconds: int | None
    rate_burst: int | None
    #: How much of `rate_burst` is taken now; of a kind (`host/*`) each key has its own.
    used: int | None
    waiting: int
    running: int
    #: Of the last 24 hours: how many began, how many of those it had held back, and for how long.
    began: int
    waited: int
    mean_wait: timedelta | None
    longest_wait: timedelta | None
    #: How often the other side asked for silence in that time.
    silences: int


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key that lets nothing more begin, or holds jobs back."""

    key: str
    running: int
    max_running: int | None
    waiting: int
    #: When the next in line should have run.
    oldest_at: datetime | None
    #: When its rate lets the next one begin.
    opens_at: datetime | None
    #: The other side has asked for silence: when, and until when.
    closed_at: datetime | None
    closed_until: datetime | None


async def limits(session: AsyncSession, *, cursor: str | None = None) -> Page[LimitView]:
    """A page of limits by key, with how many jobs each holds back now, counted to one more than `MOST_COUNTED`.

    Raises `Invalid` for a cursor that we did not make.
    """
    after = decode_cursor(cursor, word)[0] if cursor is not None else None
    asked = {"most": MOST_COUNTED, "after": after, "size": PAGE_SIZE + 1}
    rows = await session.execute(_LIMITS, asked)
    return page_of([LimitView(**row) for row in rows.mappings()], PAGE_SIZE, lambda one: [one.key])


async def full_keys(session: AsyncSession) -> Sequence[KeyView]:
    """Up to `KEYS_SHOWN` keys that let nothing more begin now, or hold jobs back, those that hold back most first."""
    asked = {"most": MOST_COUNTED, "seen": _KEYS_SEEN, "shown": KEYS_SHOWN}
    rows = await session.execute(_FULL, asked)
    return [KeyView(**row) for row in rows.mappings()]
