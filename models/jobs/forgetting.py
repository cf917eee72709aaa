"""Taking a person out of what went wrong: what a mail server says of a letter names whom it was for."""

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.tables import AttemptRow, JobRow, SnoozeRow


async def forget_in_errors(
    session: AsyncSession, *which: ColumnElement[bool], words: ColumnElement[str] | str, instead: str
) -> None:
    """Put `instead` where `words` stand in the errors of these jobs, of each of their attempts, and in why they were put
    off. What came of them is forgotten: it may have been told in the other side's words.
    """
    tried = {one: func.replace(one, words, instead) for one in (AttemptRow.error, AttemptRow.traceback)}
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.job_id == JobRow.id, *which)
        .values(tried)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(SnoozeRow)
        .where(SnoozeRow.job_id == JobRow.id, *which)
        .values(why=func.replace(SnoozeRow.why, words, instead))
        .execution_options(synchronize_session=False)
    )
    told = {"error": func.replace(JobRow.error, words, instead), "result": None}
    await session.execute(update(JobRow).where(*which).values(told))
