"""Looking jobs up, as people who mind them do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    UnaryExpression,
    and_,
    cast,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.base.clock import now
from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, instant, page_of
from models.jobs.filter import Filter
from models.jobs.states import JobState
from models.jobs.tables import AttemptRow, JobRow, LogRow

#: How many jobs of a subject, and how many of their lines, are looked up: the latest.
JOBS_SHOWN = 40
LINES_SHOWN = 500
#: How many jobs are asked one after the other whether they fit what no index knows, or how long they took: as many as
#: leave a page its twentieth of a second.
STRETCH = 5_000
#: What a list does not show, and what may be large.
_UNREAD = tuple(
    defer(one, raiseload=True) for one in (JobRow.args, JobRow.result, JobRow.when_dead, JobRow.secret)
)


class Sort(StrEnum):
    """The order of a list of jobs."""

    NEWEST = "newest"
    OLDEST = "oldest"
    #: Those that took or have run longest among the latest `STRETCH`, then among those before.
    LONGEST = "longest"


def arms_of(state: JobState) -> list[ColumnElement[bool]]:
    """The conditions that a job in this state fits one of, each in the words of the index that knows it."""
    here = JobRow.state == state
    if state is JobState.WAITING:
        return [and_(here, JobRow.blocked_by.is_(None)), and_(here, JobRow.blocked_by.is_not(None))]
    return [here]


async def jobs(
    session: AsyncSession, wanted: Filter, *, sort: Sort = Sort.NEWEST, cursor: str | None = None
) -> Page[JobRow]:
    """A page of jobs. Raises `Invalid` for a cursor that we did not make.

    What no index knows is asked of `STRETCH` jobs at a time, so that a page costs the same among a million: one that
    found less than it can hold has a `next_cursor` all the same while there are jobs left to ask.
    """
    if sort is Sort.LONGEST:
        return await _longest(session, wanted, cursor)
    is_oldest_first = sort is Sort.OLDEST
    age = JobRow.id.asc() if is_oldest_first else JobRow.id.desc()
    places = _places(wanted)
    if cursor is not None:
        (place,) = decode_cursor(cursor, UUID)
        places.append(JobRow.id > place if is_oldest_first else JobRow.id < place)
    end: UUID | None = None
    if not replace(wanted, states=()).is_indexed:
        end = await session.scalar(_end_of_a_stretch(places, age))
        if end is not None:
            places.append(JobRow.id <= end if is_oldest_first else JobRow.id >= end)
    query = select(JobRow).options(*_UNREAD).where(*places, *wanted.conditions()).order_by(age)
    query = query.limit(PAGE_SIZE + 1)
    found = page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])
    if found.next_cursor is None and end is not None:
        return Page(found.items, encode_cursor(end))
    return found


async def _longest(session: AsyncSession, wanted: Filter, cursor: str | None) -> Page[JobRow]:
    """The longest of a stretch, then those of the next. Running jobs took as long as at the first page of them all."""
    at, top, after_took, after_id = now(), None, None, None
    if cursor is not None:
        at, top, after_took, after_id = decode_cursor(
            cursor, instant, _maybe(UUID), _maybe(int), _maybe(UUID)
        )
    stretch = _places(wanted) if top is None else [*_places(wanted), JobRow.id < top]
    if replace(wanted, states=()).is_indexed:
        stretch += wanted.conditions()
    end = await session.scalar(_end_of_a_stretch(stretch, JobRow.id.desc()))
    if end is not None:
        stretch.append(JobRow.id >= end)
    ended_at = func.coalesce(JobRow.finished_at, at)
    took = cast(func.extract("epoch", ended_at - JobRow.started_at) * 1_000_000, BigInteger)
    query = (
        select(JobRow, took).options(*_UNREAD).where(*stretch, *wanted.conditions(), JobRow.started_at <= at)
    )
    if after_id is not None:
        query = query.where(tuple_(took, JobRow.id) < (after_took, after_id))
    rows = (await session.execute(query.order_by(took.desc(), JobRow.id.desc()).limit(PAGE_SIZE + 1))).all()
    found = page_of(rows, PAGE_SIZE, lambda row: [at, top, row[1], row[0].id])
    further = encode_cursor(at, end, None, None) if end is not None else None
    return Page([row[0] for row in found.items], found.next_cursor or further)


def _places(wanted: Filter) -> list[ColumnElement[bool]]:
    """Where an index finds the jobs of these states."""
    if not wanted.states or JobState.COMPLETED in wanted.states:
        return []
    return [or_(*(arm for state in wanted.states for arm in arms_of(state)))]


def _end_of_a_stretch(places: Sequence[ColumnElement[bool]], age: UnaryExpression[UUID]) -> Select[UUID]:
    return select(JobRow.id).where(*places).order_by(age).offset(STRETCH - 1).limit(1)


def _maybe(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else kind(value)


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
