"""What happens by the clock. A schedule fires by moving its last slot forward in the transaction that asks for
its job, so two clocks, or one that was restarted, fire it once.

The code names schedules; a person may give one another rhythm, pause it, run it now, or make one of their own.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.away import is_away
from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import changed
from models.base.errors import Conflict, Invalid, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of, word
from models.jobs.cron import Cron
from models.jobs.dead import check_args
from models.jobs.enqueue import enqueue
from models.jobs.message import Job, kinds, unpack
from models.jobs.rules import in_words
from models.jobs.tables import ScheduleRow

log = structlog.get_logger(__name__)

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")

_TAKEN: Final = {"name": "There is a schedule of this name. Choose another one."}

_ADVANCE = text(
    """
    insert into job_schedules (name, slot) values (:name, :slot)
        on conflict (name) do update set slot = excluded.slot
     where job_schedules.slot < excluded.slot and job_schedules.paused_at is null
    returning cast(:has_missed_one as boolean) or xmax::text <> '0'
    """  # xmax is 0 in a row that is new
)

#: A person may have removed it meanwhile: then it must not come back.
_ADVANCE_OWN = text(
    """
    update job_schedules set slot = :slot
     where name = :name and slot < :slot and paused_at is null and kind is not null
    returning true
    """
)

_FIRED = text("update job_schedules set fired_at = now() where name = :name")
_SKIPPED = text("update job_schedules set skipped_at = now() where name = :name")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job asked for by the calendar, or every so often in slots counted from the year 2000 in UTC."""

    name: str
    rhythm: timedelta | Cron
    job: Job
    #: A person has made it: there is nothing of it but its row.
    is_own: bool = False

    def slot(self, at: datetime) -> datetime:
        """The latest moment not after `at` at which this is due."""
        if isinstance(self.rhythm, Cron):
            return self.rhythm.latest(at)
        return _EPOCH + (at - _EPOCH) // self.rhythm * self.rhythm

    def next(self, at: datetime) -> datetime:
        """The first moment after `at` at which this is due."""
        if isinstance(self.rhythm, Cron):
            return next(self.rhythm.after(at))
        return self.slot(at) + self.rhythm


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as it is in force. `next_at` is None while it is paused."""

    name: str
    kind: str
    args: dict[str, Any]
    every: timedelta | None
    cron: str | None
    zone: str | None
    is_own: bool
    is_edited: bool
    paused_at: datetime | None
    fired_at: datetime | None
    #: The last slot in which nothing was asked for, because the job of before was still under way.
    skipped_at: datetime | None
    next_at: datetime | None
    #: Its rhythm, and a person's own arguments, as whoever changes it has seen them: see `edit`.
    seen: str


def subject_of(name: str) -> str:
    """What the jobs of a schedule are about, as their rows say it: by it, a schedule finds its last one."""
    return f"schedule/{name}"


async def fire(session: AsyncSession, schedule: Schedule, at: datetime) -> bool:
    """Ask for the schedule's job if its present slot has not been fired. What was missed is made up once.

    One by the calendar that is seen for the first time has missed nothing: it waits for its next moment. A slot is
    skipped, and said to be, while the job of an earlier one is still under way. Returns whether the slot was due.
    """
    asked: dict[str, Any] = {"name": schedule.name, "slot": schedule.slot(at)}
    if schedule.is_own:
        is_due = await session.scalar(_ADVANCE_OWN, asked)
    else:
        has_missed_one = isinstance(schedule.rhythm, timedelta)
        is_due = await session.scalar(_ADVANCE, asked | {"has_missed_one": has_missed_one})
    if not is_due:
        return False
    crash_point("in the firing of a schedule")
    job_id = await enqueue(
        session, schedule.job, unique=f"schedule/{schedule.name}", subject=subject_of(schedule.name)
    )
    await session.execute(_SKIPPED if job_id is None else _FIRED, {"name": schedule.name})
    changed(session, "schedules")
    return True


async def fire_due(session: AsyncSession, known: Iterable[Schedule], at: datetime) -> None:
    """Fire every schedule, of the code or of a person, that is due and not paused.

    One whose job cannot be asked for, as its arguments have grown too long or are secret by now, stops no other.
    """
    rows = await _rows(session)
    for schedule in _in_force(known, rows):
        row = rows.get(schedule.name)
        if row is None or (row.paused_at is None and row.slot < schedule.slot(at)):
            try:
                async with session.begin_nested():
                    await fire(session, schedule, at)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("schedule.not_fired", schedule=schedule.name)


async def all_schedules(
    session: AsyncSession, known: Iterable[Schedule], at: datetime
) -> Sequence[ScheduleView]:
    """Every schedule by its name. `known` are those of the code."""
    rows = await _rows(session)
    found = []
    for schedule in sorted(_in_force(known, rows), key=lambda one: one.name):
        row = rows.get(schedule.name)
        rhythm = schedule.rhythm
        is_paused = row is not None and row.paused_at is not None
        found.append(
            ScheduleView(
                name=schedule.name,
                kind=schedule.job.kind,
                args=schedule.job.args(),
                every=rhythm if isinstance(rhythm, timedelta) else None,
                cron=rhythm.expression if isinstance(rhythm, Cron) else None,
                zone=rhythm.zone if isinstance(rhythm, Cron) else None,
                is_own=row is not None and row.kind is not None,
                is_edited=row is not None and row.kind is None and row.cron is not None,
                paused_at=row.paused_at if row else None,
                fired_at=row.fired_at if row else None,
                skipped_at=row.skipped_at if row else None,
                next_at=None if is_paused else schedule.next(at),
                seen=_seen(schedule, row),
            )
        )
    return found


async def page_of_schedules(
    session: AsyncSession, known: Iterable[Schedule], at: datetime, *, cursor: str | None = None
) -> Page[ScheduleView]:
    """A page of `all_schedules`. Raises `Invalid` for a cursor that we did not make."""
    after = decode_cursor(cursor, word)[0] if cursor is not None else ""
    rest = [one for one in await all_schedules(session, known, at) if one.name > after]
    return page_of(rest[: PAGE_SIZE + 1], PAGE_SIZE, lambda one: [one.name])


async def edit(
    session: AsyncSession,
    known: Iterable[Schedule],
    name: str,
    cron: str,
    zone: str,
    *,
    seen: str,
    args: dict[str, Any] | None = None,
) -> None:
    """Give a schedule another rhythm from now on, and other arguments if it is a person's own. Raises `Invalid` naming
    `cron`, `zone` or `args.<field>`, or `NotFound`, and `Conflict` if it is not any more what was `seen`: two people
    change it at once.
    """
    rhythm = Cron.read(cron, zone)
    schedule, row = await _take(session, known, name)
    if (words := _seen(schedule, row)) != seen:
        raise Conflict(
            f"Somebody else has changed this schedule meanwhile, to {words}. Save again to change that."
        )
    if args is not None and row.kind is not None:
        check_args(type(schedule.job), args)
        row.args = args
    row.cron, row.zone = rhythm.expression, zone
    row.slot = replace(schedule, rhythm=rhythm).slot(now())


async def restore(session: AsyncSession, known: Sequence[Schedule], name: str) -> None:
    """Give a schedule of the code its own rhythm back. Raises `NotFound`, or `Conflict` for a person's own."""
    original = next((one for one in known if one.name == name), None)
    if original is None:
        raise Conflict("The code knows no schedule of this name, so there is nothing to go back to.")
    _, row = await _take(session, known, name)
    row.cron = row.zone = None
    row.slot = original.slot(now())


async def pause(session: AsyncSession, known: Iterable[Schedule], name: str) -> None:
    """Let a schedule rest. Raises `NotFound`."""
    _, row = await _take(session, known, name)
    row.paused_at = row.paused_at or now()


async def resume(session: AsyncSession, known: Iterable[Schedule], name: str) -> None:
    """Let a schedule go on. What it would have done meanwhile is not made up. Raises `NotFound`."""
    schedule, row = await _take(session, known, name)
    row.paused_at = None
    row.slot = schedule.slot(now())


async def run_now(session: AsyncSession, known: Iterable[Schedule], name: str, asked_by: UUID) -> UUID | None:
    """Ask for a schedule's job now, whatever the clock says; None if it waits or runs already. Raises `NotFound`."""
    schedule, _ = await _take(session, known, name)
    return await enqueue(
        session, schedule.job, unique=f"schedule/{name}", subject=subject_of(name), asked_by=asked_by
    )


async def create(
    session: AsyncSession,
    known: Iterable[Schedule],
    name: str,
    *,
    kind: str,
    args: dict[str, Any],
    cron: str,
    zone: str,
    made_by: UUID,
) -> None:
    """Make a schedule for a kind of job that the code knows. Raises `Invalid` naming the field."""
    if not _NAME.fullmatch(name):
        raise Invalid({"name": "Use 2 to 60 small letters, digits, dots, dashes and underscores."})
    if name in {one.name for one in known}:
        raise Invalid(_TAKEN)
    message = kinds().get(kind)
    if message is None:
        raise Invalid({"kind": f"There is no kind of job {kind!r}."})
    if message.secrets:
        raise Invalid({"kind": "Jobs of this kind have secrets, which a schedule would keep in the open."})
    check_args(message, args)
    rhythm = Cron.read(cron, zone)
    new = insert(ScheduleRow).values(
        name=name,
        slot=rhythm.latest(now()),
        cron=rhythm.expression,
        zone=zone,
        kind=kind,
        args=args,
        made_by=made_by,
    )
    # Somebody else may take the name at the same time.
    if await session.scalar(new.on_conflict_do_nothing().returning(ScheduleRow.name)) is None:
        raise Invalid(_TAKEN)
    changed(session, "schedules")


async def remove(session: AsyncSession, name: str) -> None:
    """Remove a person's own schedule. Raises `NotFound`, or `Conflict` for one of the code: that can be paused."""
    row = await session.get(ScheduleRow, name)
    if row is None:
        raise NotFound("There is no such schedule.")
    if row.kind is None:
        raise Conflict("The code names this schedule, so it cannot be removed. Pause it instead.")
    await session.delete(row)
    changed(session, "schedules")


def _seen(schedule: Schedule, row: ScheduleRow | None) -> str:
    rhythm = schedule.rhythm
    words = f"{rhythm.expression} {rhythm.zone}" if isinstance(rhythm, Cron) else f"every {in_words(rhythm)}"
    return words if row is None or row.kind is None else f"{words} with {json.dumps(row.args)}"


async def _rows(session: AsyncSession) -> dict[str, ScheduleRow]:
    query = select(ScheduleRow).execution_options(populate_existing=True)
    return {row.name: row for row in await session.scalars(query)}


def _in_force(known: Iterable[Schedule], rows: dict[str, ScheduleRow]) -> Iterator[Schedule]:
    """Those of the code, with the rhythm that a person gave them, and people's own."""
    for schedule in known:
        row = rows.get(schedule.name)
        rhythm = _rhythm(row) if row is not None and row.cron is not None else None
        yield schedule if rhythm is None else replace(schedule, rhythm=rhythm)
    for row in rows.values():
        if row.kind is not None and (rhythm := _rhythm(row)) is not None:
            try:
                job = unpack({"kind": row.kind, "args": row.args or {}})
            except (KeyError, msgspec.ValidationError) as error:
                log.warning("schedule.not_understood", schedule=row.name, error=str(error))
                continue
            yield Schedule(row.name, rhythm, job, is_own=True)


def _rhythm(row: ScheduleRow) -> Cron | None:
    """What a person wrote, or None for what this machine does not understand: time zones come and go."""
    try:
        return Cron.read(row.cron or "", row.zone or "UTC")
    except Invalid as error:
        log.warning("schedule.not_understood", schedule=row.name, error=str(error))
        return None


async def _take(session: AsyncSession, known: Iterable[Schedule], name: str) -> tuple[Schedule, ScheduleRow]:
    """The schedule in force and its row, which is held until the transaction ends, and made if it never fired."""
    known = tuple(known)
    if original := next((one for one in known if one.name == name), None):
        new = insert(ScheduleRow).values(name=name, slot=original.slot(now()))
        await session.execute(new.on_conflict_do_nothing())
    query = select(ScheduleRow).where(ScheduleRow.name == name).with_for_update()
    row = await session.scalar(query.execution_options(populate_existing=True))
    schedule = next((one for one in _in_force(known, {name: row} if row else {}) if one.name == name), None)
    if schedule is None or row is None:
        raise NotFound("There is no such schedule.")
    changed(session, "schedules")
    return schedule, row
