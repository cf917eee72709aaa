"""What reports forget of somebody who leaves."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets
from models.accounts.tables import Person
from models.base.clock import now
from models.exports.jobs import Report
from models.exports.tables import Export
from models.jobs.cancelling import cancel_all
from models.jobs.states import UNFINISHED
from models.jobs.tables import JobRow


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """None is made any more, and the time of those that were is over: within the hour the files are deleted, and then
    the rows.
    """
    asked_for = (JobRow.asked_by == person.id, JobRow.kind == Report.kind, JobRow.state.in_(UNFINISHED))
    await cancel_all(session, (await session.scalars(select(JobRow.id).where(*asked_for))).all())
    mine = (Export.person_id == person.id, Export.expires_at > now())
    await session.execute(update(Export).where(*mine).values(expires_at=now()))
