"""Looking jobs up, as people who mind them do."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    UnaryExpression,
    Uuid,
    and_,
    any_,
    cast,
    func,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer

from models.base.clock import now
from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, instant, number, page_of
from models.jobs.estimates import pace
from models.jobs.filter import Filter
from models.jobs.states import JobState
from models.jobs.tables import AttemptRow, JobRow, LogRow, SnoozeRow

#: How many jobs of a subject, and how many of their lines, are looked up: the latest.
JOBS_SHOWN = 40
LINES_SHOWN = 500
#: How many jobs are asked at once whether they fit what no index knows, or how long they took.
STRETCH = 5_000
#: After so long, whoever has found some does not look for more.
SOON = timedelta(milliseconds=10)
#: If fewer of a stretch are in the states that are wanted, these are looked for by themselves.
FEW = STRETCH // 20
#: The states whose index is in the order of age.
_BY_AGE = frozenset({JobState.DEAD, JobState.CANCELLED, JobState.COMPLETED})
#: What a list does not show, and what may be large.
UNREAD = tuple(
    defer(one, raiseload=True) for one in (JobRow.args, JobRow.result, JobRow.when_dead, JobRow.secret)
)


async def arguments_of(session: AsyncSession, job_ids: Collection[UUID], most: int) -> dict[UUID, str]:
    """What tells jobs from their like that have said nothing yet: the first so many letters of their arguments, as JSON."""
    query = select(JobRow.id, func.left(cast(JobRow.args, Text), most))
    return {row[0]: row[1] for row in await session.execute(query.where(JobRow.id.in_(job_ids)))}


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
    session: AsyncSession,
    wanted: Filter,
    *,
    sort: Sort = Sort.NEWEST,
    cursor: str | None = None,
    patience: timedelta = timedelta(),
) -> Page[JobRow]:
    """A page of jobs. Raises `Invalid` for a cursor that we did not make.

    What no index knows is asked of `STRETCH` jobs at a time until the page is full, some are found and it is not `SOON`
    any more, or `patience` is over: a page that found less than it can hold has a `next_cursor` all the same while there
    are jobs left to ask.
    """
    began = monotonic()
    until = began + patience.total_seconds()
    if sort is Sort.LONGEST:
        found = await _longest(session, wanted, cursor)
        while not found.items and found.next_cursor and monotonic() < until:
            found = await _longest(session, wanted, found.next_cursor)
        return found
    age = JobRow.id.asc() if sort is Sort.OLDEST else JobRow.id.desc()
    rows: list[JobRow] = []
    end = decode_cursor(cursor, UUID)[0] if cursor is not None else None
    while True:
        places, end = await _stretch(session, wanted, end, is_oldest_first=sort is Sort.OLDEST)
        ids = select(JobRow.id).where(*places, *wanted.conditions()).order_by(age)
        # Ids alone are read from the index of what is wanted. For whole rows it looks no cheaper than a walk over all jobs.
        some = ids.limit(PAGE_SIZE + 1 - len(rows)).subquery()
        query = select(JobRow).options(*UNREAD).where(JobRow.id.in_(select(some.c.id))).order_by(age)
        rows += (await session.scalars(query)).all()
        patient_until = min(until, began + SOON.total_seconds()) if rows else until
        if len(rows) > PAGE_SIZE or end is None or monotonic() > patient_until:
            break
    page = page_of(rows, PAGE_SIZE, lambda one: [one.id])
    if page.next_cursor is None and end is not None:
        return Page(page.items, encode_cursor(end))
    return page


async def counted(
    session: AsyncSession, wanted: Filter, most: int, patience: timedelta = timedelta()
) -> tuple[int, bool]:
    """How many jobs are meant, and whether that is all of them: beyond `most`, and after `patience`, nobody counts."""
    until = monotonic() + patience.total_seconds()
    count, end = 0, None
    while True:
        places, end = await _stretch(session, wanted, end, in_order=False)
        some = select(JobRow.id).where(*places, *wanted.conditions()).limit(most + 1 - count).subquery()
        count += (await session.scalars(select(func.count()).select_from(some))).one()
        if count > most:
            return most, False
        if end is None or monotonic() > until:
            return count, end is None


async def _stretch(
    session: AsyncSession,
    wanted: Filter,
    after: UUID | None,
    *,
    is_oldest_first: bool = False,
    in_order: bool = True,
) -> tuple[list[ColumnElement[bool]], UUID | None]:
    """Where to look for the next jobs, and the last place there if there are others behind it: everywhere at once where
    an index knows what is wanted (in the order of age, or in any), and among `STRETCH` jobs otherwise.

    PostgreSQL takes states to be spread evenly over time. They are not: what waits is the latest as a rule, and looking
    for the next of it among all that is older would end at the oldest job.
    """
    age = JobRow.id.asc() if is_oldest_first else JobRow.id.desc()
    places = wanted.places()
    if after is not None:
        places.append(JobRow.id > after if is_oldest_first else JobRow.id < after)
    if wanted.states == (JobState.COMPLETED,):
        # By an index of its own, however many that are younger have not come so far.
        places.append(JobRow.state == JobState.COMPLETED)
    if _is_known(wanted, in_order=in_order):
        return [*places, *_of_states(wanted)], None
    end = await session.scalar(_end_of_a_stretch(places, age))
    if end is None:
        return places, None
    here = [*places, JobRow.id <= end if is_oldest_first else JobRow.id >= end]
    if not wanted.states or JobState.COMPLETED in wanted.states:
        return here, end
    some = select(JobRow.id).where(*here, JobRow.state.in_(wanted.states)).limit(FEW).subquery()
    if (await session.scalars(select(func.count()).select_from(some))).one() == FEW:
        return here, end
    ids = await _few(session, wanted, places, is_oldest_first=is_oldest_first)
    return [JobRow.id == any_(cast(ids, ARRAY(Uuid)))], ids[-1] if len(ids) == STRETCH else None


async def _few(
    session: AsyncSession, wanted: Filter, places: list[ColumnElement[bool]], *, is_oldest_first: bool
) -> Sequence[UUID]:
    """The next `STRETCH` jobs of these states. Each state has an index in another order, of which all is read for it."""
    arms = [select(JobRow.id).where(arm, *places) for state in wanted.states for arm in arms_of(state)]
    few = union_all(*arms).cte("few").prefix_with("materialized")
    age = few.c.id.asc() if is_oldest_first else few.c.id.desc()
    return (await session.scalars(select(few.c.id).order_by(age).limit(STRETCH))).all()


def _is_known(wanted: Filter, *, in_order: bool) -> bool:
    """Whether an index finds all that is wanted, and nothing else: what is `in_order`, in the order of age."""
    rest = replace(wanted, states=())
    if rest.conditions() or not wanted.states:
        return rest.is_indexed
    return not in_order or _BY_AGE.issuperset(wanted.states)


async def _longest(session: AsyncSession, wanted: Filter, cursor: str | None) -> Page[JobRow]:
    """The longest of a stretch, then those of the next. Running jobs took as long as at the first page of them all."""
    at, top, after_took, after_id = now(), None, None, None
    if cursor is not None:
        at, top, after_took, after_id = decode_cursor(
            cursor, instant, _maybe(UUID), _maybe(number), _maybe(UUID)
        )
    places, end = await _stretch(session, wanted, top)
    if end is None:
        places += wanted.conditions()
        end = await session.scalar(_end_of_a_stretch(places, JobRow.id.desc()))
        places += [JobRow.id >= end] if end is not None else []
    ended_at = func.coalesce(JobRow.finished_at, at)
    took = cast(func.extract("epoch", ended_at - JobRow.started_at) * 1_000_000, BigInteger)
    query = (
        select(JobRow, took).options(*UNREAD).where(*places, *wanted.conditions(), JobRow.started_at <= at)
    )
    if after_id is not None:
        query = query.where(tuple_(took, JobRow.id) < (after_took, after_id))
    rows = (await session.execute(query.order_by(took.desc(), JobRow.id.desc()).limit(PAGE_SIZE + 1))).all()
    found = page_of(rows, PAGE_SIZE, lambda row: [at, top, row[1], row[0].id])
    further = encode_cursor(at, end, None, None) if end is not None else None
    return Page([row[0] for row in found.items], found.next_cursor or further)


def _of_states(wanted: Filter) -> list[ColumnElement[bool]]:
    """That a job is in one of these states, in the words of their indexes."""
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


async def snoozes_of(session: AsyncSession, job_id: UUID) -> Sequence[SnoozeRow]:
    """How often a job was put off, by the attempts that it was to make."""
    query = select(SnoozeRow).where(SnoozeRow.job_id == job_id).order_by(SnoozeRow.attempt)
    return (await session.scalars(query)).all()


async def records_of(session: AsyncSession, subjects: Sequence[str]) -> list[Record]:
    """The latest jobs that are about these subjects (`order/<id>`), newest first, with everything about them."""
    query = select(JobRow).where(JobRow.subject.in_(subjects)).order_by(JobRow.id.desc()).limit(JOBS_SHOWN)
    found = await session.scalars(query.execution_options(populate_existing=True))
    return await _records(session, found.all())


async def latest_of(session: AsyncSession, subjects: Sequence[str]) -> dict[str, JobRow]:
    """The latest job about each of these subjects, as far as there is one."""
    wanted = func.unnest(cast(subjects, ARRAY(Text))).table_valued("subject").render_derived()
    one = aliased(JobRow)
    latest = select(one.id).where(one.subject == wanted.c.subject).order_by(one.id.desc()).limit(1)
    ids = select(latest.correlate(wanted).scalar_subquery()).select_from(wanted)
    rows = await session.scalars(select(JobRow).options(*UNREAD).where(JobRow.id.in_(ids)))
    return {str(row.subject): row for row in rows}


async def _records(session: AsyncSession, rows: Sequence[JobRow]) -> list[Record]:
    ids = [one.id for one in rows]
    attempts: dict[UUID, list[AttemptRow]] = {one: [] for one in ids}
    lines: dict[UUID, list[LogRow]] = {one: [] for one in ids}
    failed = select(AttemptRow).where(AttemptRow.job_id.in_(ids)).order_by(AttemptRow.attempt)
    for attempt in await session.scalars(failed):
        attempts[attempt.job_id].append(attempt)
    written = select(LogRow).where(LogRow.job_id.in_(ids)).order_by(LogRow.id.desc()).limit(LINES_SHOWN)
    # An attempt that ends at once may be written down before the last lines of the one before.
    for line in sorted(await session.scalars(written), key=lambda one: (one.at, one.id)):
        lines[line.job_id].append(line)
    return [Record(one, attempts[one.id], lines[one.id]) for one in rows]


async def time_left(
    session: AsyncSession, job: JobRow, done: int | None, total: int | None
) -> timedelta | None:
    """How long a running job has still to go: by the steps it has done, or as long as its kind usually takes."""
    if job.state is not JobState.ACTIVE or job.started_at is None:
        return None
    gone = now() - job.started_at
    if done and total:
        return gone * max(total - done, 0) / done
    usual = await pace(session, job.kind, job.queue)
    return usual.run_usual - gone if usual is not None and usual.run_usual > gone else None
