"""What the platform asks of its own workers."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.jobs.board_tables import BulkRow
from models.jobs.message import Job
from models.jobs.tables import JobRow


class DoBulkAction(Job, frozen=True):
    """Do one deed to every job that a filter means, a chunk at a time."""

    kind: ClassVar[str] = "jobs.bulk_action"
    #: Somebody looks at its progress.
    priority: ClassVar[int] = 2
    attempts: ClassVar[int] = 20
    timeout: ClassVar[timedelta] = timedelta(minutes=30)

    bulk_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """Nobody goes on with it: it has ended with what was done until then."""
        await _end_without(session, job_id)


class EndBulkAction(Job, frozen=True):
    """End a bulk action whose job has died."""

    kind: ClassVar[str] = "jobs.end_bulk_action"

    bulk_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """Another bulk action may cancel it, and nobody else would end this one."""
        await _end_without(session, job_id)


class TellOfAlert(Job, frozen=True):
    """Tell those who look after the jobs that something is not as it should be, or that it is over."""

    kind: ClassVar[str] = "jobs.tell_of_alert"
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 8

    alert_id: UUID
    is_over: bool


async def end_bulk_action(session: AsyncSession, bulk_id: UUID, because: str) -> None:
    """End a bulk action before its time, unless it has ended."""
    ended = {"stopped_at": func.coalesce(BulkRow.stopped_at, func.now()), "finished_at": func.now()}
    query = update(BulkRow).where(BulkRow.id == bulk_id, BulkRow.finished_at.is_(None))
    await session.execute(query.values(ended | {"stopped_because": because}))
    changed(session, f"bulk/{bulk_id}")


async def _end_without(session: AsyncSession, job_id: UUID) -> None:
    job = await session.get_one(JobRow, job_id)
    # By what it is about, for its arguments may have been edited.
    bulk_id = UUID(str(job.subject).removeprefix("bulk/"))
    await end_bulk_action(session, bulk_id, "Its job was cancelled.")
