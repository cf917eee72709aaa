"""What becomes of an article that an editor has ordered when its job is cancelled."""

import pytest
from sqlalchemy import select, update

from models.base.db import Database
from models.jobs.cancelling import cancel
from models.jobs.tables import JobRow
from models.orders.jobs import FailCommission, WriteCommission
from models.orders.tables import Site
from models.orders.writing.commissions import commission
from tasks.world import World
from tests.orders.builders import make_article, make_people


@pytest.mark.parametrize("kind", [WriteCommission.kind, FailCommission.kind])
async def test_without_its_job_it_has_ended_and_says_so(world: World, database: Database, kind: str) -> None:
    async with database.transaction() as session:
        people = await make_people(session)
        await make_article(session)
        site = (await session.scalars(select(Site))).one()
        made = await commission(
            session, world.settings, site, "How to descale a kettle", "kettle", "", people.editor
        )
        assert made.job_id is not None
        # Whichever of the two it is.
        await session.execute(update(JobRow).where(JobRow.id == made.job_id).values(kind=kind))
        await cancel(session, made.job_id)
        await session.refresh(made)
    assert (made.problem, made.finished_at is not None) == ("Its job was cancelled.", True)
