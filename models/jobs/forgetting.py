"""Taking a person out of what went wrong: what a mail server says of a letter names whom it was for."""

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.tables import AttemptRow, JobRow


async def forget_in_errors(
    session: AsyncSession, *which: ColumnElement[bool], words: ColumnElement[str] | str, instead: str
) -> None:
    """Put `instead` where `words` stand in the errors of these jobs, and of each of their attempts."""
    tried = {one: func.replace(one, words, instead) for one in (AttemptRow.error, AttemptRow.traceback)}
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.job_id == JobRow.id, *which)
        .values(tried)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(JobRow).where(*which).values(error=func.replace(JobRow.error, words, instead))
    )
