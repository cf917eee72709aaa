"""Workers of one machine come when there is something to do, and go when there is not: with real processes."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from infra.local.output import Terminal
from infra.local.processes import Keeper, Program
from infra.local.workers import Workers
from models.base.settings import Settings
from models.jobs import Wish, enqueue_all
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from tasks.world import World
from tests.local.a_worker import Doze

pytestmark = pytest.mark.slow


class Machine:
    """A dispatcher, and the workers that it wishes for."""

    def __init__(self, settings: Settings) -> None:
        self.out = io.StringIO()
        self._keepers: list[Keeper] = []
        self.workers = Workers(settings.database.url, self._worker)

    async def run(self, name: str, *command: str) -> Keeper:
        environment = {"SCALING_BACKEND": "local", "SCALING_HOLD_SECONDS": "1"}
        program = Program(name, command, environment, grace=20)
        keeper = Keeper(program, Terminal(self.out), may_refuse=lambda: False)
        self._keepers.append(keeper)
        await keeper.start()
        return keeper

    async def _worker(self, name: str, queues: list[str]) -> Keeper:
        """One for reports works; the others of the machine are not looked at, and only take a place."""
        command = [sys.executable, "-m", "tests.local.a_worker", "--queues", ",".join(queues)]
        return await self.run(name, *(command if queues == ["reports"] else ("sleep", "100")))

    def running(self, service: str) -> int:
        return sum(one.pid is not None for one in self._keepers if one.program.name.startswith(f"{service}."))

    async def until(self, is_so: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(40):
                while not is_so():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(self.out.getvalue())

    async def end(self) -> None:
        await asyncio.gather(*(one.end() for one in self._keepers))


@asynccontextmanager
async def machine(settings: Settings) -> AsyncIterator[Machine]:
    one = Machine(settings)
    following = asyncio.create_task(one.workers.follow())
    try:
        await one.run("dispatcher", sys.executable, "-m", "tasks.dispatcher")
        yield one
    finally:
        following.cancel()
        await one.end()


async def test_workers_come_with_the_work_stay_while_they_have_some_and_go(world: World):
    async def states() -> list[JobState]:
        async with world.database.transaction() as session:
            return list(await session.scalars(select(JobRow.state).where(JobRow.kind == Doze.kind)))

    async with machine(world.settings) as there:
        await there.until(lambda: there.running("worker") > 0)
        assert there.running("worker-reports") == 0

        async with world.database.transaction() as session:
            await enqueue_all(session, [Wish(Doze(seconds=one)) for one in (4, 0.2, 0.2, 0.2, 0.2)])
        await there.until(lambda: there.running("worker-reports") == 2)
        await there.until(lambda: there.running("worker-reports") == 1)
        assert (await states()).count(JobState.ACTIVE) == 1, "the one that is left is the one that works"
        await there.until(lambda: there.running("worker-reports") == 0)

    async with world.database.transaction() as session:
        ended = (
            await session.execute(select(JobRow.state, JobRow.attempt).where(JobRow.kind == Doze.kind))
        ).all()
    assert [tuple(one) for one in ended] == [(JobState.COMPLETED, 1)] * 5
