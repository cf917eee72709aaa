"""The board with people of each role before it, and jobs as tests want them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from infra.local.visitor import Browser
from models.accounts.states import Role
from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from tasks.world import World
from tests.web.site import Site, lasting_site


class Board:
    """The site, its database, and a browser for each role."""

    def __init__(self, site: Site, browsers: AsyncExitStack) -> None:
        self.site = site
        self.database: Database = site.database
        self._browsers = browsers

    async def browser(self, role: Role) -> Browser:
        """A browser in which somebody of this role has signed in."""
        browser = await self._browsers.enter_async_context(self.site.browser())
        await self.site.sign_in(browser, f"{role.value}@example.com", role)
        return browser

    async def job(self, state: JobState = JobState.WAITING, **values: Any) -> UUID:
        """A job in this state."""
        return (await self.jobs(1, state, **values))[0]

    async def jobs(self, count: int, state: JobState = JobState.WAITING, **values: Any) -> list[UUID]:
        """That many jobs in this state, the oldest first."""
        at = now()
        is_over = state in {JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED}
        row = {
            "kind": "orders.tend_reviews",
            "queue": "default",
            "args": {},
            "state": state,
            "priority": 5,
            "rank_at": at,
            "run_at": at,
            "max_attempts": 3,
            "finished_at": at if is_over else None,
        }
        ids = [new_id() for _ in range(count)]
        async with self.database.transaction() as session:
            await session.execute(insert(JobRow), [row | values | {"id": one} for one in ids])
        return ids

    async def row(self, job_id: UUID) -> JobRow:
        """The job as it is now."""
        async with self.database.transaction() as session:
            return await session.get_one(JobRow, job_id)

    async def details(self, action: str) -> list[dict[str, Any]]:
        """What the audit log tells besides of each time that this was done, the oldest first."""
        async with self.database.transaction() as session:
            some = select(AuditEntry.detail).where(AuditEntry.action == action).order_by(AuditEntry.id)
            return list(await session.scalars(some))

    async def written_down(self) -> list[tuple[str, str]]:
        """Every action in the audit log with its subject, the oldest first."""
        async with self.database.transaction() as session:
            rows = await session.execute(
                select(AuditEntry.action, AuditEntry.subject).order_by(AuditEntry.id)
            )
            return [(action, subject) for action, subject in rows]


@pytest.fixture
async def board(world: World) -> AsyncIterator[Board]:
    async with AsyncExitStack() as browsers:
        yield Board(await lasting_site(world.settings, world.database, world.redis), browsers)
