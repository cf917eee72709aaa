"""The jobs that a person asked for, as that person finds them again."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import Page, decode_cursor, page_of
from models.jobs.board import MOST_COUNTED
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
    before = [JobRow.id < decode_cursor(looked.cursor, UUID)[0]] if looked.cursor else []
    # Each state of each kind is a line of its own in the index, the latest at its end.
    most = looked.offset + looked.limit + 1
    lines = [
        select(JobRow.id)
        .where(*_line(person_id, state, kind), *before)
        .order_by(JobRow.id.desc())
        .limit(most)
        for state in looked.states
        for kind in looked.kinds
    ]
    ids = union_all(*(select(one.subquery().c.id) for one in lines)).subquery()
    latest = select(ids.c.id).order_by(ids.c.id.desc()).offset(looked.offset).limit(looked.limit + 1)
    query = select(JobRow).where(JobRow.id.in_(latest)).order_by(JobRow.id.desc())
    return page_of((await session.scalars(query)).all(), looked.limit, lambda one: [one.id])


async def asked_counts(session: AsyncSession, person_id: UUID, kinds: Collection[str]) -> dict[JobState, int]:
    """How many of this person's jobs are in each state, each counted to one more than `MOST_COUNTED`."""
    numbers = []
    for state in JobState:
        lines = union_all(*(select(JobRow.id).where(*_line(person_id, state, kind)) for kind in kinds))
        some = lines.limit(MOST_COUNTED + 1).subquery()
        numbers.append(select(func.count()).select_from(some).scalar_subquery())
    return dict(zip(JobState, (await session.execute(select(*numbers))).one(), strict=True))


def _line(person_id: UUID, state: JobState, kind: str) -> tuple[ColumnElement[bool], ...]:
    return JobRow.asked_by == person_id, JobRow.state == state, JobRow.kind == kind
