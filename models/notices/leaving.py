"""What notices forget of somebody who leaves."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets
from models.accounts.tables import Person
from models.notices.tables import Notice


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """All that they were told."""
    await session.execute(delete(Notice).where(Notice.person_id == person.id))
