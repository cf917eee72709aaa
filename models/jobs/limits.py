"""What jobs with a common key are held to: so many at once, so many in a time. `gates` keeps to it.

A job gets its key when it is asked for, `enqueue(session, FetchPage(...), limit=host_key(url))`, or from its message. A
key without a limit of its own has that of its kind, `host/*`, for itself; without either it has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final, Protocol
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Conflict, Invalid
from models.jobs.gates import LIMIT_OF_KEY
from models.jobs.paces import counted_on
from models.jobs.rules import LONGEST_SILENCE
from models.jobs.tables import LimitRow, QueueRow

#: Those who ran when the silence began all hear the same: only the first of them lowers how many run after it, and counts.
_SLOW_DOWN = text(
    f"""
    with wanted (name) as (values (cast(:key as text))),
    silenced as (
        insert into job_gates as gate (name, closed_at, closed_until, lowered_to)
        select 'limit/' || name, statement_timestamp(), clock_timestamp() + cast(:wait as interval),
               greatest(1, count(jobs.id) / 2)
          from wanted
          left join jobs on jobs.limit_key = name and jobs.state = 'active'
                        and jobs.blocked_by is distinct from 'limit/' || jobs.limit_key
         group by name
            on conflict (name) do update
           set closed_at = case when gate.closed_until > clock_timestamp() then gate.closed_at else excluded.closed_at end,
               lowered_to = case when gate.closed_until > clock_timestamp() then gate.lowered_to else excluded.lowered_to end,
               closed_until = greatest(gate.closed_until, excluded.closed_until)
        returning closed_at)
    insert into job_limit_hours (key, at, silences)
    select lim.key, statement_timestamp(), 1
      from silenced cross join wanted cross join lateral ({LIMIT_OF_KEY}) lim
     where silenced.closed_at = statement_timestamp()
        on conflict do nothing
    """  # noqa: S608 - our own words
)

_END_SILENCE = text(
    """
    update job_gates set closed_until = clock_timestamp()
     where name = 'limit/' || cast(:key as text) and closed_until > clock_timestamp()
    returning name
    """
)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` beginnings in each `seconds`, evenly; up to `burst` at once when it was quiet: by default a second's worth."""

    count: int
    seconds: int
    burst: int | None = None

    @property
    def at_once(self) -> int:
        """The burst."""
        return self.burst or max(1, ceil(self.count / self.seconds))


@dataclass(frozen=True, slots=True)
class Limit:
    """What a queue or a key is held to; None is no limit of that sort."""

    max_running: int | None = None
    rate: Rate | None = None

    def write(self, row: LimitRow | QueueRow) -> None:
        """Put it into its row, or raise `Invalid` for what would let nothing through for ever."""
        rate = self.rate
        numbers = {
            "max_running": self.max_running,
            "rate_count": rate.count if rate else None,
            "rate_seconds": rate.seconds if rate else None,
            "rate_burst": rate.at_once if rate else None,
        }
        if wrong := [name for name, number in numbers.items() if number is not None and number < 1]:
            raise Invalid(dict.fromkeys(wrong, "Must be 1 or more. To stop everything, pause the queue."))
        for name, number in numbers.items():
            setattr(row, name, number)


class Limited(Protocol):
    """What has the columns of a limit."""

    @property
    def max_running(self) -> int | None: ...
    @property
    def rate_count(self) -> int | None: ...
    @property
    def rate_seconds(self) -> int | None: ...
    @property
    def rate_burst(self) -> int | None: ...


def told(row: Limited | None) -> str:
    """The limit in words: what a person has seen of it, and how it is told that somebody else has changed it."""
    parts = []
    if row is not None and row.max_running is not None:
        parts.append(f"{row.max_running} at once")
    if row is not None and row.rate_count is not None:
        parts.append(f"{row.rate_count} in {row.rate_seconds} s with {row.rate_burst} after a rest")
    return " and ".join(parts) or "no limit"


def must_be_as_seen(words: str, seen: str | None) -> None:
    """Raise `Conflict` if what is told of it in `words` is not any more what was `seen`: two people change it at once."""
    if seen is not None and words != seen:
        raise Conflict(f"Meanwhile somebody else has changed this to: {words}. Save again to change that.")


#: What an installation begins with. A row that says nothing stands where an operator has lifted one of these.
DEFAULTS: Final[Mapping[str, Limit]] = {"host/*": Limit(max_running=2)}


def host_key(url: str) -> str:
    """The key of jobs that ask the host of this address for something: strangers' servers are asked politely."""
    return f"host/{urlsplit(url).hostname or 'unknown'}"


async def limit_of(session: AsyncSession, key: str) -> LimitRow | None:
    """The limit of this very key, if somebody has set or lifted one."""
    return await session.get(LimitRow, key)


async def set_limit(session: AsyncSession, key: str, limit: Limit | None, *, seen: str | None = None) -> None:
    """Hold the jobs of a key, or of each key of a kind (`host/*`), to a limit from now on; None lifts it.

    Raises `Conflict` if it is not any more what a person has `seen`, as `told` tells it.
    """
    async with counted_on(session, f"limit/{key}"):
        await session.execute(insert(LimitRow).values(key=key).on_conflict_do_nothing())
        row = await session.get_one(LimitRow, key, with_for_update=True, populate_existing=True)
        must_be_as_seen(told(row), seen)
        if limit is None and key not in DEFAULTS:
            await session.delete(row)
        else:
            (limit or Limit()).write(row)


async def set_defaults(session: AsyncSession) -> None:
    """Begin with `DEFAULTS`, where nobody has decided anything."""
    rows = [{"key": key, "max_running": limit.max_running} for key, limit in DEFAULTS.items()]
    await session.execute(insert(LimitRow).values(rows).on_conflict_do_nothing())


async def slow_down(session: AsyncSession, key: str, wait: timedelta) -> None:
    """Let no job of this key begin for so long, `rules.LONGEST_SILENCE` at most: the other side has asked for silence.
    After it half as many as now run at once, and more and more from then on: see `gates.ROOM_AGAIN`.
    """
    await session.execute(_SLOW_DOWN, {"key": key, "wait": min(wait, LONGEST_SILENCE)})


async def end_silence(session: AsyncSession, key: str) -> bool:
    """Go on before the silence is over. Returns whether there was one."""
    return (await session.execute(_END_SILENCE, {"key": key})).one_or_none() is not None
