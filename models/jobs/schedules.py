"""What happens by the clock. A schedule fires by moving its last slot forward in the transaction that asks for
its job, so two clocks, or one that was restarted, fire it once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.enqueue import enqueue
from models.jobs.message import Job

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_ADVANCE = text(
    """
    insert into job_schedules (name, slot) values (:name, :slot)
        on conflict (name) do update set slot = excluded.slot, fired_at = now() where job_schedules.slot < excluded.slot
    returning name
    """
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job asked for every so often, in slots counted from the year 2000 in UTC."""

    name: str
    every: timedelta
    job: Job

    def slot(self, at: datetime) -> datetime:
        """The latest moment not after `at` at which this is due."""
        return _EPOCH + (at - _EPOCH) // self.every * self.every


async def fire(session: AsyncSession, schedule: Schedule, at: datetime) -> bool:
    """Ask for the schedule's job if its present slot has not been fired. What was missed is made up once."""
    moved = await session.execute(_ADVANCE, {"name": schedule.name, "slot": schedule.slot(at)})
    if moved.one_or_none() is None:
        return False
    await enqueue(session, schedule.job, unique=f"schedule/{schedule.name}")
    return True
