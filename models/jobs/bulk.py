"""One deed done to every job that a filter means. It is a row with its own progress, and a job does it in chunks:
each commits what it did together with how far it came, so that a crash repeats nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, any_, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import changed, new_id
from models.base.errors import Conflict, Invalid, NotFound, Refusal
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.jobs.board_tables import BulkChunkRow, BulkRow
from models.jobs.cancelling import cancel, cancel_all
from models.jobs.dead import delete, prioritize, promote, retry, retry_all
from models.jobs.enqueue import enqueue
from models.jobs.filter import Filter
from models.jobs.jobs import DoBulkAction, EndBulkAction
from models.jobs.queues import run_anyway
from models.jobs.rules import PRIORITIES
from models.jobs.states import BulkDeed, JobState
from models.jobs.tables import JobRow

CHUNK: Final = 100


def refuse_everything(wanted: Filter) -> None:
    """Raise `Invalid` for a filter that means every job there is."""
    if not wanted.conditions():
        raise Invalid({"q": "Say which jobs are meant: a bulk action is not done to all of them."})


def retried(wanted: Filter, most: int) -> Select[UUID]:
    """The query for the ids of up to `most` jobs that would run again."""
    # None, if it asks for other states alone: then PostgreSQL looks at no row.
    ended = {JobState.DEAD, JobState.CANCELLED}.intersection(wanted.states or JobState)
    return select(JobRow.id).where(JobRow.state.in_(ended), *wanted.conditions()).limit(most)


async def begin(
    session: AsyncSession, wanted: Filter, deed: BulkDeed, asked_by: UUID, *, priority: int | None = None
) -> UUID:
    """Ask for a deed to every job that is there now and that `wanted` means. Returns the bulk action's id.

    Raises `Invalid` for a filter that means everything, and for a priority that is not one.
    """
    refuse_everything(wanted)
    if deed is BulkDeed.PRIORITY and priority not in PRIORITIES:
        raise Invalid({"priority": "Choose from 0, which goes first, to 9."})
    row = BulkRow(
        id=new_id(), deed=deed, filter=str(wanted), priority=priority, asked_by=asked_by, created_at=now()
    )
    session.add(row)
    job_id = await enqueue(
        session,
        DoBulkAction(bulk_id=row.id),
        subject=f"bulk/{row.id}",
        asked_by=asked_by,
        when_dead=EndBulkAction(bulk_id=row.id),
    )
    assert job_id is not None
    # Who has paused everything to clear up what runs away must be able to.
    await run_anyway(session, job_id)
    return row.id


async def do_chunk(session: AsyncSession, bulk_id: UUID, size: int = CHUNK) -> BulkRow:
    """Do the deed to the next `size` jobs. The row that is returned says whether it has come to its end."""
    row = await _locked(session, bulk_id)
    if row.finished_at is not None:
        return row
    if row.stopped_at is not None:
        row.finished_at = now()
        return row
    meant = _meant(row)
    if row.total is None:
        row.total = await session.scalar(select(func.count()).select_from(JobRow).where(*meant))
    after = [JobRow.id > row.last_id] if row.last_id else []
    ids = (
        await session.scalars(select(JobRow.id).where(*meant, *after).order_by(JobRow.id).limit(size))
    ).all()
    done = await _done_at_once(session, row.deed, ids)
    for job_id in ids:
        if job_id in done:
            continue
        try:
            async with session.begin_nested():
                await _do(session, row, job_id)
            done.add(job_id)
        except Refusal as refusal:
            row.refused += 1
            row.refusal = refusal.words
    row.last_id = ids[-1] if ids else row.last_id
    if done:
        row.done += len(done)
        session.add(BulkChunkRow(bulk_id=bulk_id, last_id=max(done), job_ids=sorted(done), at=now()))
    if len(ids) < size:
        row.finished_at = now()
    changed(session, f"bulk/{bulk_id}")
    crash_point("in a chunk of a bulk action, before its commit")
    return row


async def stop(session: AsyncSession, bulk_id: UUID) -> None:
    """Let a bulk action end with its present chunk; what it did stays done. Raises `NotFound` or `Conflict`."""
    row = await _locked(session, bulk_id)
    if row.finished_at is not None:
        raise Conflict("This has come to its end.")
    row.stopped_at = row.stopped_at or now()
    changed(session, f"bulk/{bulk_id}")


async def bulk_action(session: AsyncSession, bulk_id: UUID) -> BulkRow:
    """One bulk action, as far as it is. Raises `NotFound`."""
    row = await session.get(BulkRow, bulk_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such bulk action.")
    return row


async def bulk_actions(session: AsyncSession, *, cursor: str | None = None) -> Page[BulkRow]:
    """Bulk actions, the latest first. Raises `Invalid` for a cursor that we did not make."""
    query = select(BulkRow).order_by(BulkRow.id.desc()).limit(PAGE_SIZE + 1)
    if cursor is not None:
        query = query.where(BulkRow.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def done_to(session: AsyncSession, job_id: UUID) -> Sequence[tuple[BulkRow, datetime]]:
    """The bulk actions that did their deed to a job, and when, the latest first."""
    # The chunks of one do not overlap: it is in the first that goes as far, or in none.
    chunk = (
        select(BulkChunkRow.job_ids, BulkChunkRow.at)
        .where(BulkChunkRow.bulk_id == BulkRow.id, BulkChunkRow.last_id >= job_id)
        .order_by(BulkChunkRow.last_id)
        .limit(1)
        .lateral()
    )
    query = select(BulkRow, chunk.c.at).join(chunk, true()).order_by(BulkRow.id.desc()).limit(PAGE_SIZE)
    rows = await session.execute(query.where(BulkRow.id > job_id, any_(chunk.c.job_ids) == job_id))
    return [(row, at) for row, at in rows]


async def _locked(session: AsyncSession, bulk_id: UUID) -> BulkRow:
    row = await session.get(BulkRow, bulk_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise NotFound("There is no such bulk action.")
    return row


def _meant(row: BulkRow) -> list[ColumnElement[bool]]:
    """What is asked of jobs: to fit the filter as it was meant, and to have been there when the deed was asked for."""
    return [*Filter.read(row.filter, row.created_at).conditions(), JobRow.id < row.id]


async def _done_at_once(session: AsyncSession, deed: BulkDeed, ids: Sequence[UUID]) -> set[UUID]:
    """Those to which the deed could be done by few statements. The rest is asked one by one, to hear why not."""
    if deed is BulkDeed.RETRY:
        return await retry_all(session, ids)
    if deed is BulkDeed.CANCEL:
        try:
            async with session.begin_nested():
                return await cancel_all(session, ids)
        except Refusal:
            # To take back what one of them has begun is refused: the others do not wait for it.
            return set()
    return set()


async def _do(session: AsyncSession, row: BulkRow, job_id: UUID) -> None:
    match row.deed:
        case BulkDeed.RETRY:
            await retry(session, job_id)
        case BulkDeed.CANCEL:
            await cancel(session, job_id)
        case BulkDeed.PROMOTE:
            await promote(session, job_id)
        case BulkDeed.DELETE:
            await delete(session, job_id)
        case BulkDeed.PRIORITY:
            assert row.priority is not None
            await prioritize(session, job_id, row.priority)
