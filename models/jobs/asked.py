"""The jobs that a person asked for, as that person finds them again."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import Page, decode_cursor, page_of
from models.jobs.states import JobState
from models.jobs.tables import JobRow


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for: states and kinds, where from (a number of jobs to skip, or a cursor), and how many."""

    kinds: Collection[str]
    states: Collection[JobState]
    limit: int
    offset: int = 0
    cursor: str | None = None


async def asked_job(session: AsyncSession, person_id: UUID, job_id: UUID, kinds: Collection[str]) -> JobRow:
    """A job of one of these kinds that this person asked for. Raises `NotFound`."""
    job = await session.get(JobRow, job_id, populate_existing=True)
    if job is None or job.asked_by != person_id or job.kind not in kinds:
        raise NotFound("You asked for no such job, or it was done long ago and is forgotten.")
    return job


async def asked_jobs(session: AsyncSession, person_id: UUID, looked: Looked) -> Page[JobRow]:
    """A page of the jobs that this person asked for, the latest first. Raises `Invalid` for an unknown cursor."""
    mine = (JobRow.asked_by == person_id, JobRow.kind.in_(looked.kinds), JobRow.state.in_(looked.states))
    query = select(JobRow).where(*mine).order_by(JobRow.id.desc()).offset(looked.offset)
    if looked.cursor:
        query = query.where(JobRow.id < decode_cursor(looked.cursor, UUID)[0])
    rows = (await session.scalars(query.limit(looked.limit + 1))).all()
    return page_of(rows, looked.limit, lambda one: [one.id])


async def asked_counts(session: AsyncSession, person_id: UUID, kinds: Collection[str]) -> dict[JobState, int]:
    """How many of this person's jobs are in each state."""
    mine = (JobRow.asked_by == person_id, JobRow.kind.in_(kinds))
    rows = await session.execute(select(JobRow.state, func.count()).where(*mine).group_by(JobRow.state))
    found = {state: count for state, count in rows}  # noqa: C416 - rows are not pairs to mypy
    return {state: found.get(state, 0) for state in JobState}
