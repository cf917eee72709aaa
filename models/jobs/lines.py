"""The lines that a job's runner wrote, a page at a time: a long job writes more than its page shows."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.paging import Page, decode_cursor, number, page_of
from models.jobs.queries import LINES_SHOWN
from models.jobs.tables import LogRow


async def lines(session: AsyncSession, job_id: UUID, cursor: str | None = None) -> Page[LogRow]:
    """The latest lines, in the order in which they were written, then those before. Raises `Invalid` for a cursor that
    we did not make.
    """
    query = select(LogRow).where(LogRow.job_id == job_id).order_by(LogRow.id.desc()).limit(LINES_SHOWN + 1)
    if cursor is not None:
        query = query.where(LogRow.id < decode_cursor(cursor, number)[0])
    found = page_of((await session.scalars(query)).all(), LINES_SHOWN, lambda one: [one.id])
    return replace(found, items=found.items[::-1])
