"""What reports forget of somebody who leaves."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets
from models.accounts.tables import Person
from models.base.clock import now
from models.exports.tables import Export


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """Their time is over: within the hour the files are deleted, and then the rows."""
    mine = (Export.person_id == person.id, Export.expires_at > now())
    await session.execute(update(Export).where(*mine).values(expires_at=now()))
