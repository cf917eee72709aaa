"""Looking jobs up, as people who mind them do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from models.jobs.filter import Filter
from models.jobs.states import JobState
from models.jobs.tables import AttemptRow, JobRow, LogRow

#: How many jobs of a subject, and how many of their lines, are looked up: the latest.
JOBS_SHOWN = 40
LINES_SHOWN = 500
#: How many jobs are asked one after the other whether they fit what no index knows: a tenth of a second's worth.
STRETCH = 25_000


def arms_of(state: JobState) -> list[ColumnElement[bool]]:
    """The conditions that a job in this state fits one of, each in the words of the index that knows it."""
    here = JobRow.state == state
    if state is JobState.WAITING:
        return [and_(here, JobRow.blocked_by.is_(None)), and_(here, JobRow.blocked_by.is_not(None))]
    return [here]


async def jobs(
    session: AsyncSession, wanted: Filter, *, is_oldest_first: bool = False, cursor: str | None = None
) -> Page[JobRow]:
    """A page of jobs by age. Raises `Invalid` for a cursor that we did not make.

    What no index knows is asked of `STRETCH` jobs at a time, so that a page costs the same among a million: one that
    found less than it can hold has a `next_cursor` all the same while there are jobs left to ask.
    """
    age = JobRow.id.asc() if is_oldest_first else JobRow.id.desc()
    places = []
    if wanted.states and JobState.COMPLETED not in wanted.states:
        places.append(or_(*(arm for state in wanted.states for arm in arms_of(state))))
    if cursor is not None:
        (place,) = decode_cursor(cursor, UUID)
        places.append(JobRow.id > place if is_oldest_first else JobRow.id < place)
    end: UUID | None = None
    if not replace(wanted, states=()).is_indexed:
        end = await session.scalar(
            select(JobRow.id).where(*places).order_by(age).offset(STRETCH - 1).limit(1)
        )
        if end is not None:
            places.append(JobRow.id <= end if is_oldest_first else JobRow.id >= end)
    query = select(JobRow).where(*places, *wanted.conditions()).order_by(age).limit(PAGE_SIZE + 1)
    found = page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])
    if found.next_cursor is None and end is not None:
        return Page(found.items, encode_cursor(end))
    return found


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
