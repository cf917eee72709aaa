"""Looking jobs up, as people who mind them do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.jobs.states import JobState
from models.jobs.tables import AttemptRow, JobRow, LogRow

#: How many jobs of a subject, and how many of their lines, are looked up: the latest.
JOBS_SHOWN = 40
LINES_SHOWN = 500


async def jobs(
    session: AsyncSession, *, state: JobState | None = None, kind: str = "", cursor: str | None = None
) -> Page[JobRow]:
    """A page of jobs, the latest first. Raises `Invalid` for a cursor that we did not make."""
    query = select(JobRow).order_by(JobRow.id.desc()).limit(PAGE_SIZE + 1)
    if state is not None:
        query = query.where(JobRow.state == state)
    if kind:
        query = query.where(JobRow.kind == kind)
    if cursor is not None:
        query = query.where(JobRow.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def counts(session: AsyncSession) -> dict[JobState, int]:
    """How many jobs are in each state. Finished ones are forgotten after a while, dead ones never."""
    query = select(JobRow.state, func.count()).group_by(JobRow.state)
    found = {state: count for state, count in await session.execute(query)}  # noqa: C416 - rows are not pairs to mypy
    return {state: found.get(state, 0) for state in JobState}


@dataclass(frozen=True, slots=True)
class Record:
    """A job with the attempts that did not complete it and the lines that its runner wrote."""

    job: JobRow
    attempts: Sequence[AttemptRow]
    lines: Sequence[LogRow]


async def record(session: AsyncSession, job_id: UUID) -> Record:
    """Everything about one job. Raises `NotFound`."""
    job = await session.get(JobRow, job_id, populate_existing=True)
    if job is None:
        raise NotFound("There is no such job, or it was done long ago and is forgotten.")
    return (await _records(session, [job]))[0]


async def records_of(session: AsyncSession, subjects: Sequence[str]) -> list[Record]:
    """The latest jobs that are about these subjects (`order/<id>`), newest first, with everything about them."""
    query = select(JobRow).where(JobRow.subject.in_(subjects)).order_by(JobRow.id.desc()).limit(JOBS_SHOWN)
    found = await session.scalars(query.execution_options(populate_existing=True))
    return await _records(session, found.all())


async def _records(session: AsyncSession, rows: Sequence[JobRow]) -> list[Record]:
    ids = [one.id for one in rows]
    attempts: dict[UUID, list[AttemptRow]] = {one: [] for one in ids}
    lines: dict[UUID, list[LogRow]] = {one: [] for one in ids}
    failed = select(AttemptRow).where(AttemptRow.job_id.in_(ids)).order_by(AttemptRow.attempt)
    for attempt in await session.scalars(failed):
        attempts[attempt.job_id].append(attempt)
    written = select(LogRow).where(LogRow.job_id.in_(ids)).order_by(LogRow.id.desc()).limit(LINES_SHOWN)
    for line in (await session.scalars(written)).all()[::-1]:
        lines[line.job_id].append(line)
    return [Record(one, attempts[one.id], lines[one.id]) for one in rows]
