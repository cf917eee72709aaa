"""A deployment under a small load, and a migration that meets a busy table. `make reliability` deploys under a full one."""

import asyncio

import asyncpg
import pytest

from tests.reliability.deployment import Load, deployed, migrate
from tests.reliability.faults import SMALL
from tests.reliability.servers import Servers
from tests.reliability.stage import staged

pytestmark = pytest.mark.slow


async def test_nobody_notices_a_deployment(own_servers: Servers) -> None:
    seen, jobs = await deployed(own_servers, Load(requests_a_second=10, jobs_a_second=20, copies=1), SMALL)
    assert (seen.failed, seen.events_lost_or_doubled) == (0, 0), seen
    assert seen.events > 0, seen
    assert jobs.is_sound, jobs
    assert jobs.begun_again == 0, jobs
    assert jobs.attempted > 0, jobs


async def test_a_migration_gives_way_to_those_who_wait_behind_it(own_servers: Servers) -> None:
    async with staged(own_servers, SMALL) as stage:
        holder = await asyncpg.connect(stage.url)
        held = holder.transaction()
        await held.start()
        await holder.execute("lock table jobs in row exclusive mode")
        migrating = asyncio.create_task(asyncio.to_thread(migrate, stage.url))
        async with asyncio.timeout(30):
            while not await stage.fetch("select from pg_locks where not granted"):
                await asyncio.sleep(0.01)
            await stage.fetch("select from jobs")
        assert not migrating.done()
        await held.rollback()
        await holder.close()
        await migrating
        assert await stage.fetch("select added from jobs") == []
