"""Forgetting what was to be told to whom, in jobs that are kept: that they were asked for, and how they ended, stays."""

from typing import Final

from sqlalchemy import ColumnElement, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.forgetting import forget_in_errors
from models.jobs.tables import JobRow
from models.notices.jobs import Email, Notification

#: The address in the args of such a job.
recipient: Final = JobRow.args["to"].astext
_WORDS: Final = "Forgotten"


async def forget_words(session: AsyncSession, *which: ColumnElement[bool], instead: str) -> None:
    """Take address and text out of these jobs, what came of them too, and the address out of their errors. `instead`
    stands in its place: nobody's, so that what is tried again by mistake goes nowhere.
    """
    for message in (Email(to=instead, subject=_WORDS, body=_WORDS), Notification(to=instead, title=_WORDS)):
        these = (JobRow.kind == message.kind, JobRow.queue == message.queue, recipient != instead, *which)
        await forget_in_errors(session, *these, words=recipient, instead=instead)
        await session.execute(update(JobRow).where(*these).values(args=message.args()))
