"""What jobs with a common key are held to: so many at once, so many in a time. `gates` keeps to it.

A job gets its key when it is asked for: `enqueue(session, FetchPage(...), limit="host/example.com")`. A key without
a limit of its own has that of its kind, `host/*`, for itself; without either it has none.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.jobs.tables import LimitRow, QueueRow

_SLOW_DOWN = text(
    """
    insert into job_gates as gate (name, closed_until)
    values ('limit/' || cast(:key as text), clock_timestamp() + cast(:wait as interval))
        on conflict (name) do update set closed_until = greatest(gate.closed_until, excluded.closed_until)
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

    @classmethod
    def of(cls, row: LimitRow | QueueRow | None) -> "Limit":
        """What a row says."""
        if row is None:
            return cls()
        rate = None
        if row.rate_count is not None and row.rate_seconds is not None:
            rate = Rate(row.rate_count, row.rate_seconds, row.rate_burst)
        return cls(row.max_running, rate)


async def set_limit(session: AsyncSession, key: str, limit: Limit | None) -> None:
    """Hold the jobs of a key, or of each key of a kind (`host/*`), to a limit from now on; None lifts it."""
    row = await session.get(LimitRow, key)
    if limit is None:
        if row is not None:
            await session.delete(row)
        return
    if row is None:
        row = LimitRow(key=key)
        session.add(row)
    limit.write(row)


async def limit_of(session: AsyncSession, key: str) -> Limit:
    """What the jobs of a key are held to."""
    row = await session.get(LimitRow, key) or await session.get(LimitRow, f"{key.split('/', 1)[0]}/*")
    return Limit.of(row)


async def slow_down(session: AsyncSession, key: str, wait: timedelta) -> None:
    """Let no job of this key begin for so long: the other side has asked for silence."""
    await session.execute(_SLOW_DOWN, {"key": key, "wait": wait})
