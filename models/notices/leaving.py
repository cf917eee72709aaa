"""What notices forget of somebody who leaves."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets, nobody
from models.accounts.tables import Person
from models.notices.forgetting import forget_words, recipient
from models.notices.tables import Delivery, Notice


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """All that they were told, that they were to be told, and that other systems heard of it."""
    await session.execute(delete(Notice).where(Notice.person_id == person.id))
    await session.execute(delete(Delivery).where(Delivery.payload["data"]["to"].astext == person.email))
    await forget_words(session, recipient == person.email, instead=nobody(person))
