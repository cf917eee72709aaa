"""What a fault happens to: a database of its own, processes, a load, and the oracle that judges in the end."""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.away import DATABASE_ERRORS
from models.base.clock import now
from models.base.db import Database
from models.base.news import Herald, connect
from models.jobs import Wish, enqueue_all
from tests.reliability.messages import CREATE, QUEUE, Act, Do
from tests.reliability.oracle import BEGUN_AGAIN, Figures, judge
from tests.reliability.process import Part, run
from tests.reliability.servers import TEMPLATE, Servers

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.reliability.process"])

_UNFINISHED = f"select count(*) from jobs where queue = '{QUEUE}' and finished_at is null"
_ACTIVE = "select id from jobs where state = 'active'"
_IDLE = "select from job_workers where pid = $1 and beat_at > $2 and running = 0"
_HELD = f"{_ACTIVE} and worker_id in (select id from job_workers where pid = $1)"
#: What failed is tried again at once; and more often than it would be, for here more gets lost than in any world.
_HURRY = "update jobs set run_at = now(), max_attempts = 50 where state = 'scheduled' and run_at > now()"
_ACTING = """
select from pg_locks join pg_stat_activity using (pid)
 where locktype = 'advisory' and granted and application_name = 'dispatcher lock' and datname = current_database()
having count(*) >= $1
"""
_NUMBERS = itertools.count(1)
#: Lies in every wait: that what is waited for will not happen is known by then.
PATIENCE = 120.0
#: What all chance of the suite comes from: what a fault chooses, and the jitter within the processes. To be given again
#: when something failed, to meet the same choices; how the processes run beside each other is the machine's.
SEED = int(os.environ.get("RELIABILITY_SEED") or secrets.randbelow(2**32))
_ACTS: tuple[Act, ...] = ("return", "write", "step")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    jobs: int
    lease: float


def load(tokens: Iterable[int], kind: type[Do] = Do, seconds: float = 0.02) -> list[Do]:
    """A job for each token: a third writes when it is completed, a third on the way, a third nothing."""
    return [kind(token=one, act=_ACTS[one % 3], seconds=seconds) for one in tokens]


class Stage:
    """One fault's world."""

    def __init__(self, servers: Servers, name: str, size: Size, without: str | None = None) -> None:
        self.servers = servers
        self.size = size
        self.without = without
        self.url = servers.url_of(name)
        self.redis_url = servers.redis.url
        self.processes: list[BaseProcess] = []
        self.attempted: set[int] = set()
        self.answered: set[int] = set()
        self.oracle: Callable[..., Awaitable[Figures]] = judge
        self.luck = random.Random(SEED)
        self._tokens = itertools.count(1)
        self._hit: set[UUID] = set()
        self._struck_at: datetime | None = None

    # ------------------------------------------------------------ processes

    @property
    def environment(self) -> dict[str, str]:
        """What every process is told."""
        return {
            "ENVIRONMENT": "test",
            "SECRET_KEY": "a secret of the reliability suite, long enough",
            "STRIPE_SECRET_KEY": "sk_test_of_the_suite",
            "DATABASE_URL": self.url,
            "REDIS_URL": self.redis_url,
            "LOG_LEVEL": "warning",
            "JOB_LEASE_SECONDS": str(self.size.lease),
            "JOB_DRAIN_SECONDS": "5",
        }

    def start(self, role: str, **what: Any) -> BaseProcess:
        """Start a process; `what` are the fields of a `Part`. The guard that is tried is away in all of them."""
        what.setdefault("without", self.without)
        environment = self.environment | what.pop("environment", {})
        part = Part(role, environment=environment, seed=self.luck.getrandbits(32), **what)  # type: ignore[arg-type]
        log = str(self.servers.folder / f"{role}.log")
        process = _FORKS.Process(target=run, args=(part, log), daemon=True)
        process.start()
        self.processes.append(process)
        return process

    async def ended(self, process: BaseProcess, within: float = PATIENCE) -> int | None:
        """How a process has ended, if it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while process.is_alive():
                    await asyncio.sleep(0.02)
        return process.exitcode

    def send(self, process: BaseProcess, number: signal.Signals) -> None:
        """Send a signal."""
        assert process.pid is not None
        os.kill(process.pid, number)

    def words(self) -> str:
        """What the processes have said last."""
        return "\n".join(log.read_text()[-2000:] for log in self.servers.folder.glob("*.log"))

    async def end(self) -> None:
        """End every process."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            await asyncio.to_thread(process.join)

    # ----------------------------------------------------------------- load

    def take(self, count: int) -> list[int]:
        """New tokens, which from now on count as attempted."""
        tokens = list(itertools.islice(self._tokens, count))
        self.attempted.update(tokens)
        return tokens

    async def ask(
        self,
        count: int,
        *,
        seconds: float = 0.02,
        after: float = 0,
        kind: type[Do] = Do,
        via: str | None = None,
    ) -> None:
        """Ask for a load of jobs, ten in a transaction."""
        redis = connect(self.redis_url)
        database = Database(via or self.url, pool_size=1, tell=Herald(redis).tell)
        run_at = now() + timedelta(seconds=after) if after else None
        tokens = self.take(count)
        for at in range(0, count, 10):
            some = tokens[at : at + 10]
            wishes = [Wish(job, run_at=run_at) for job in load(some, kind, seconds)]
            # Whoever hears nothing knows nothing: the tokens stay without an answer.
            with contextlib.suppress(*DATABASE_ERRORS):
                async with database.transaction() as session:
                    await enqueue_all(session, wishes)
                self.answered.update(some)
        await database.close()
        await redis.aclose()
        await redis.connection_pool.disconnect()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction as the product holds one."""
        database = Database(self.url, pool_size=1)
        try:
            async with database.transaction() as session:
                yield session
        finally:
            await database.close()

    # ------------------------------------------------------------- watching

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Ask the database."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *args)
        finally:
            await connection.close()

    async def strike(self, process: BaseProcess | None = None) -> None:
        """Note when the fault happens, and which jobs it hits: those of the process, or all that run."""
        rows = await self.fetch(_HELD, process.pid) if process else await self.fetch(_ACTIVE)
        self._hit |= {row["id"] for row in rows}
        self._struck_at = self._struck_at or now()

    async def until(self, query: str, *args: Any) -> None:
        """Wait until a query finds something."""
        async with asyncio.timeout(PATIENCE):
            while not await self.fetch(query, *args):
                await asyncio.sleep(0.02)

    async def until_none(self, jobs: str) -> None:
        """Wait until no job is like this."""
        await self.until(f"select where not exists (select from jobs where {jobs})")

    async def until_finished(self, jobs: str) -> None:
        """Wait until every job that is like this has ended. What failed is tried again at once."""
        async with asyncio.timeout(PATIENCE):
            while await self.fetch(f"select from jobs where {jobs} and finished_at is null"):
                await self.fetch(_HURRY)
                await asyncio.sleep(0.05)

    async def until_active(self, count: int) -> None:
        """Wait until so many jobs run."""
        await self.until(f"select from ({_ACTIVE}) running having count(*) >= $1", count)

    async def until_begun(self, count: int) -> None:
        """Wait until so many jobs have left their first trace."""
        await self.until("select from effects where effect = 'begun' having count(*) >= $1", count)

    async def until_acting(self, count: int) -> None:
        """Wait until so many dispatchers hold what they take for the lock."""
        await self.until(_ACTING, count)

    async def until_idle(self, process: BaseProcess) -> None:
        """Wait until a worker says that it lives and runs nothing."""
        ((since,),) = await self.fetch("select clock_timestamp()")
        await self.until(_IDLE, process.pid, since)

    async def until_done(self, within: float = PATIENCE, *, or_begun_again: bool = False) -> None:
        """Wait until no job is unfinished, or give up: the oracle says what that means."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while (await self.fetch(_UNFINISHED))[0][0]:
                    if or_begun_again and (await self.fetch(BEGUN_AGAIN))[0][0]:
                        return
                    await asyncio.sleep(0.05)

    async def judge(self, fault: str) -> Figures:
        """What came out."""
        connection = await asyncpg.connect(self.url)
        try:
            ended = await connection.fetchval(
                "select max(finished_at) from jobs where id = any($1::uuid[])", list(self._hit)
            )
            return await self.oracle(
                connection,
                fault,
                attempted=self.attempted,
                answered=self.answered,
                recovery_seconds=round((ended - self._struck_at).total_seconds(), 2)
                if ended and self._struck_at
                else None,
                seed=SEED,
            )
        finally:
            await connection.close()

    async def insert(
        self, kind: str, tokens: Sequence[int], *, asked_ago: timedelta = timedelta(0), **more: Any
    ) -> None:
        """Ask as another release would: a row, written by hand."""
        for token in tokens:
            args = {"token": token, "act": "write", "seconds": 0, **more}
            await self.fetch(
                "insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, created_at)"
                " values (gen_random_uuid(), $1, $2, $3::jsonb, 5, now(), now(), 3, now() - $4::interval)",
                kind,
                QUEUE,
                orjson.dumps(args).decode(),
                asked_ago,
            )
        self.answered.update(tokens)


Fault = Callable[[Stage], Awaitable[None]]


@asynccontextmanager
async def staged(servers: Servers, size: Size, without: str | None = None) -> AsyncIterator[Stage]:
    """A stage with nobody on it yet."""
    # Left where it is: to drop a database is a checkpoint, and the servers go with all they have.
    name = f"fault_{next(_NUMBERS)}"
    await servers.run(f'create database "{name}" template "{TEMPLATE}"')
    stage = Stage(servers, name, size, without)
    await stage.fetch(CREATE)
    try:
        yield stage
    except BaseException:
        print(stage.words(), f"To choose the same again: RELIABILITY_SEED={SEED}", sep="\n")
        raise
    finally:
        await stage.end()
