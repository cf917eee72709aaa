"""The engine's promises, each tried on real processes: killed, frozen, cut off, robbed of Redis, and told lies.

The lease is 1.5 seconds here, so that a test waits seconds where the product would wait longer.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from infra.local.embedded import EmbeddedRedis
from models.base.db import Database, News
from models.base.news import Herald
from models.base.settings import Settings
from models.jobs import Job, Wish, enqueue_all
from tests.jobs.messages import CREATE, Mourn, Play

# Processes are started, frozen and killed: each test takes seconds.
pytestmark = pytest.mark.slow

LEASE = 1.5


class Crew:
    """The processes of one test."""

    def __init__(self, settings: Settings) -> None:
        self._environment = os.environ | {
            "JOB_LEASE_SECONDS": str(LEASE),
            "JOB_DRAIN_SECONDS": "0.5",
            "LOG_LEVEL": "warning",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, role: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "tests.jobs.a_worker", role], env=self._environment)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def crew(settings: Settings) -> Iterator[Crew]:
    one = Crew(settings)
    yield one
    one.stop()


@pytest.fixture(autouse=True)
async def effects(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text(CREATE))


async def ask(database: Database, *jobs: Job) -> list[UUID]:
    async with database.transaction() as session:
        return await enqueue_all(session, [Wish(job, when_dead=Mourn(name="a job")) for job in jobs])


async def effects_of(database: Database) -> Counter[UUID]:
    async with database.transaction() as session:
        return Counter((await session.execute(text("select job from effects"))).scalars())


async def states_of(database: Database) -> Counter[str]:
    async with database.transaction() as session:
        return Counter((await session.execute(text("select state from jobs where queue = 'test'"))).scalars())


@asynccontextmanager
async def patience(seconds: float, database: Database) -> AsyncIterator[None]:
    """Give up after so many seconds, and show where the jobs stood."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        pytest.fail(
            f"after {seconds} s: {await states_of(database)}, {len(await effects_of(database))} effects"
        )


async def until_active(database: Database, count: int) -> None:
    async with patience(60, database):
        while (await states_of(database))["active"] < count:
            await asyncio.sleep(0.02)


async def until_done(database: Database, jobs: list[UUID], within: float = 90) -> None:
    async with patience(within, database):
        while not set(jobs) <= set(await effects_of(database)):
            await asyncio.sleep(0.05)


async def test_nothing_is_lost_or_done_twice_when_workers_and_dispatcher_are_killed(
    crew: Crew, database: Database
) -> None:
    workers = [crew.start("worker"), crew.start("worker")]
    dispatcher = crew.start("dispatcher")
    jobs = await ask(database, *(Play(act="sleep", seconds=0.3) for _ in range(60)))
    await until_active(database, 10)
    workers[0].kill()
    dispatcher.kill()
    crew.start("worker")
    crew.start("dispatcher")
    await until_active(database, 1)
    workers[1].kill()
    await until_done(database, jobs)
    assert set((await effects_of(database)).values()) == {1}


async def test_a_flushed_and_a_stopped_redis_cost_nothing_but_time(
    crew: Crew, database: Database, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    crew.start("worker")
    crew.start("dispatcher")
    first = await ask(database, *(Play(act="sleep", seconds=0.2) for _ in range(20)))
    await until_active(database, 5)
    await redis.flushall()
    second = await ask(database, *(Play(act="count") for _ in range(10)))
    await until_done(database, first + second)
    redis_server.stop()
    try:
        third = await ask(database, *(Play(act="count") for _ in range(10)))
        await until_done(database, third)
    finally:
        redis_server.restart()
    fourth = await ask(database, *(Play(act="count") for _ in range(10)))
    await until_done(database, fourth)
    assert set((await effects_of(database)).values()) == {1}


async def test_a_job_whose_asker_dies_right_after_the_commit_is_run(crew: Crew, database: Database) -> None:
    """The window in which others lose jobs: committed, and nobody told. Here the row is enough."""
    code = f"""
import asyncio, os, signal
from models.base.db import Database
from models.jobs import enqueue
from tests.jobs.messages import Play

async def die(news):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    database = Database({os.environ["DATABASE_URL"]!r}, tell=die)
    async with database.transaction() as session:
        await enqueue(session, Play(act="count"))

asyncio.run(main())
"""
    asker = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await asker.wait() == -signal.SIGKILL
    assert await states_of(database) == {"waiting": 1}
    crew.start("worker")
    async with patience(60, database):
        while not await effects_of(database):
            await asyncio.sleep(0.05)


async def test_two_hundred_bells_for_one_job_run_it_once(
    crew: Crew, database: Database, redis: Redis
) -> None:
    crew.start("worker")
    crew.start("worker")
    jobs = await ask(database, Play(act="sleep", seconds=0.5))
    herald = Herald(redis)
    for _ in range(200):
        await herald.tell(News(queues={"test"}))
    await until_done(database, jobs)
    await asyncio.sleep(1)
    assert await effects_of(database) == {jobs[0]: 1}


async def test_a_frozen_worker_is_replaced_and_what_it_writes_late_is_refused(
    crew: Crew, database: Database
) -> None:
    frozen = crew.start("worker")
    crew.start("dispatcher")
    jobs = await ask(database, *(Play(act="sleep", seconds=1) for _ in range(4)))
    await until_active(database, 4)
    frozen.send_signal(signal.SIGSTOP)
    crew.start("worker")
    await until_done(database, jobs)
    before = await effects_of(database)
    frozen.send_signal(signal.SIGCONT)
    # It wakes in the middle of its jobs, finishes them, and must find that they are not its own any more.
    await asyncio.sleep(3)
    assert await effects_of(database) == before
    assert set(before.values()) == {1}
    async with database.transaction() as session:
        rows = (await session.execute(text("select distinct attempt from effects"))).scalars().all()
    assert rows == [2]
    more = await ask(database, *(Play(act="count") for _ in range(5)))
    await until_done(database, more)
    assert frozen.poll() is None


@pytest.mark.parametrize("act", ["sleep", "freeze"])
async def test_a_job_of_many_leases_runs_once_while_its_worker_lives(
    crew: Crew, database: Database, act: str
) -> None:
    """Also one that blocks the worker's event loop for all that time: the heart beats in a thread."""
    crew.start("worker")
    crew.start("worker")
    crew.start("dispatcher")
    jobs = await ask(database, Play(act=act, seconds=LEASE * 4))
    await until_done(database, jobs)
    assert await effects_of(database) == {jobs[0]: 1}
    async with database.transaction() as session:
        assert (await session.execute(text("select attempt from effects"))).scalars().all() == [1]


async def test_sigterm_gives_back_at_once_and_loses_no_attempt(crew: Crew, database: Database) -> None:
    worker = crew.start("worker")
    jobs = await ask(database, Play(act="sleep", seconds=60), Play(act="sleep", seconds=0.3))
    await until_active(database, 2)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 15) == 0
    async with database.transaction() as session:
        rows = (await session.execute(text("select id, state, attempt from jobs"))).all()
        left = (await session.execute(text("select count(*) from job_workers"))).scalar_one()
    assert {(row.id, row.state, row.attempt) for row in rows} == {
        (jobs[0], "waiting", 0),
        (jobs[1], "completed", 1),
    }
    assert left == 0


async def test_a_job_that_kills_its_workers_is_buried_after_its_attempts_and_those_beside_it_are_done(
    crew: Crew, database: Database
) -> None:
    crew.start("dispatcher")
    poison, *beside = await ask(database, Play(act="die"), *[Play(act="sleep", seconds=1.5)] * 3)
    for _ in range(3):
        worker = crew.start("worker")
        async with patience(60, database):
            while worker.poll() is None:
                await asyncio.sleep(0.05)
    crew.start("worker")
    async with patience(60, database):
        while (await effects_of(database)).total() < 1 + len(beside):
            await asyncio.sleep(0.05)
    async with database.transaction() as session:
        row = (
            await session.execute(
                text("select state, attempt, error from jobs where id = :id"), {"id": poison}
            )
        ).one()
        outcomes = (
            (
                await session.execute(
                    text("select outcome from job_attempts where job_id = :id order by attempt"),
                    {"id": poison},
                )
            )
            .scalars()
            .all()
        )
        words = (await session.execute(text("select words from effects order by words"))).scalars().all()
    assert (row.state, row.attempt, row.error) == ("dead", 3, "The worker that ran this died.")
    assert outcomes == ["worker died"] * 3
    assert words == [*["done"] * len(beside), "mourned a job"]


async def test_every_database_connection_cut_at_once_loses_nothing(crew: Crew, database: Database) -> None:
    crew.start("worker")
    crew.start("dispatcher")
    jobs = await ask(database, *(Play(act="sleep", seconds=0.4) for _ in range(30)))
    for _ in range(3):
        await until_active(database, 1)
        async with database.transaction() as session:
            await session.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                    " and application_name not like 'tests%'"
                )
            )
        await asyncio.sleep(0.3)
    await until_done(database, jobs)
    assert set((await effects_of(database)).values()) == {1}
    async with patience(10, database):
        while (await states_of(database)) != {"completed": 30}:
            await asyncio.sleep(0.05)
