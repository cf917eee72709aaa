"""What notices forget of somebody who leaves."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets, nobody
from models.accounts.tables import Person
from models.jobs.tables import JobRow, LogRow
from models.notices.actions import about
from models.notices.forgetting import forget_words, recipient
from models.notices.tables import Delivery, Notice


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """All that they were told, that they were to be told, and that other systems heard of it."""
    await session.execute(delete(Notice).where(Notice.person_id == person.id))
    to_them = Delivery.payload["data"]["to"].astext == person.email
    sent = [
        about(one) for one in await session.scalars(delete(Delivery).where(to_them).returning(Delivery.id))
    ]
    # What the other systems answered, which may name them.
    senders = select(JobRow.id).where(JobRow.subject.in_(sent))
    await session.execute(delete(LogRow).where(LogRow.job_id.in_(senders)))
    await forget_words(session, recipient == person.email, instead=nobody(person))
