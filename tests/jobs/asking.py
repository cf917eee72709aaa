"""Ask for a job, and see what has become of it."""

from typing import Any
from uuid import UUID

from models.base.db import Database
from models.jobs import Job, enqueue
from models.jobs.tables import JobRow


async def ask(database: Database, job: Job, **wishes: Any) -> UUID:
    """Ask for a job that nothing stands in the way of."""
    async with database.transaction() as session:
        job_id = await enqueue(session, job, **wishes)
    assert job_id is not None
    return job_id


async def row_of(database: Database, job_id: UUID) -> JobRow:
    """The job as it is now."""
    async with database.transaction() as session:
        return await session.get_one(JobRow, job_id)
