"""The engine's hot path, in SQL: claiming, finishing and beating, on connections of the worker's own.

Two things here were paid for by measuring. `id = any(array(select …))` and custom plans: with asyncpg's
cached generic plans a batched finish walks the batch for every row of it. And no statement that finishes says
`state = 'active'`, see `tables.JobRow`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

CLAIM: Final = """
update jobs set state = 'active', attempt = attempt + 1, worker_id = $1, started_at = clock_timestamp(),
                done = null, total = null, words = null
 where id = any(array(
       select picked.id
         from unnest($2::text[], $3::int[]) as wanted (name, slots)
        cross join lateral (
              select id from jobs
               where queue = wanted.name and state = 'waiting'
                 and not exists (select from job_queues q where q.name = wanted.name and q.paused_at is not null)
               order by rank_at, id
               limit wanted.slots
                 for update skip locked) picked))
returning id, kind, queue, args, attempt, max_attempts, subject, correlation_id, created_at, run_at, started_at
"""

COMPLETE: Final = """
update jobs set state = 'completed', finished_at = clock_timestamp(), result = ended.result::jsonb, error = null
  from unnest($2::uuid[], $3::smallint[], $4::text[]) as ended (id, attempt, result)
 where jobs.id = ended.id and jobs.attempt = ended.attempt and jobs.worker_id = $1 and jobs.finished_at is null
returning jobs.id
"""

PROMOTE: Final = """
update jobs set state = 'waiting'
 where id = any(array(
       select id from jobs where state = 'scheduled' and run_at <= now()
        order by run_at limit $1 for update skip locked))
returning queue
"""

RELEASE: Final = """
update jobs set state = 'waiting', attempt = attempt - 1, worker_id = null, started_at = null
 where id = any($2::uuid[]) and worker_id = $1 and finished_at is null
returning id
"""

OWNED: Final = "select id, attempt from jobs where worker_id = $1 and state = 'active'"

ARRIVE: Final = """
insert into job_workers (id, host, pid, queues, beat_at) values ($1, $2, $3, $4::jsonb, clock_timestamp())
    on conflict (id) do update set beat_at = clock_timestamp()
"""

BEAT: Final = """
update job_workers set beat_at = clock_timestamp(), running = $2, memory_bytes = $3, is_draining = $4 where id = $1
returning id
"""

LEAVE: Final = "delete from job_workers where id = $1"

#: What may go wrong with a database for a while. Work goes on when it is back.
DATABASE_AWAY: Final = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)

#: Rows may wait for a lock, never for long: a claim skips what is locked, a finish waits for a rescue at most.
SETTINGS: Final = {
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "lock_timeout": "5000",
    "statement_timeout": "15000",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker holds. (`id`, `attempt`, the worker) is its fence: whoever writes must name all three."""

    id: UUID
    kind: str
    queue: str
    #: JSON text, as it came: the message's type reads it.
    args: str
    attempt: int
    max_attempts: int
    subject: str | None
    correlation_id: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Fence:
    """What a write for an attempt must match."""

    job_id: UUID
    attempt: int
    worker_id: UUID


async def connect(url: str, name: str) -> asyncpg.Connection:
    """A connection for the engine alone."""
    plain = make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql")
    return await asyncpg.connect(
        plain.render_as_string(hide_password=False),
        timeout=5,
        command_timeout=15,
        server_settings=SETTINGS | {"application_name": name},
    )


class Store:
    """One worker's way to the rows. Each method is one round trip; a lost connection is opened again by the next.

    One call at a time: claiming and finishing have a store each, so that neither waits for the other.
    """

    def __init__(self, url: str, worker_id: UUID, name: str) -> None:
        self.worker_id = worker_id
        self._url = url
        self._name = name
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        self.on_connect: Callable[[asyncpg.Connection], Awaitable[None]] | None = None

    async def _use(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url, self._name)
            if self.on_connect is not None:
                await self.on_connect(self._connection)
        return self._connection

    async def _fetch(self, statement: str, *args: Any) -> list[asyncpg.Record]:
        async with self._turn:
            connection = await self._use()
            try:
                return await connection.fetch(statement, *args)
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                # The answer may be lost, so the connection is of no more use: the next call begins afresh.
                connection.terminate()
                self._connection = None
                raise

    async def claim(self, slots: Mapping[str, int]) -> list[Claim]:
        """Take up to `slots[queue]` waiting jobs of each queue, first in rank first, and make them ours."""
        rows = await self._fetch(CLAIM, self.worker_id, list(slots), list(slots.values()))
        return [Claim(*row.values()) for row in rows]

    async def complete(self, ended: Sequence[tuple[UUID, int, str | None]]) -> set[UUID]:
        """Complete a batch of (id, attempt, result as JSON). Returns the ids that were still ours."""
        ids, attempts, results = zip(*ended, strict=True)
        return {row["id"] for row in await self._fetch(COMPLETE, self.worker_id, ids, attempts, results)}

    async def promote(self, limit: int = 1000) -> set[str]:
        """Let scheduled jobs whose time has come wait with the others. Returns the queues that got some."""
        return {row["queue"] for row in await self._fetch(PROMOTE, limit)}

    async def release(self, ids: Sequence[UUID]) -> set[UUID]:
        """Give jobs back untried: the attempt does not count."""
        return {row["id"] for row in await self._fetch(RELEASE, self.worker_id, list(ids))}

    async def owned(self) -> dict[UUID, int]:
        """The jobs that are ours by the rows, with their attempts: more than we run if a claim's answer was lost."""
        return {row["id"]: row["attempt"] for row in await self._fetch(OWNED, self.worker_id)}

    async def arrive(self, host: str, pid: int, queues: str) -> None:
        """Be known as alive. `queues` is JSON: slots by queue."""
        await self._fetch(ARRIVE, self.worker_id, host, pid, queues)

    async def beat(self, running: int, memory: int | None, *, is_draining: bool) -> bool:
        """Say that we live. False if our row is gone: somebody took us for dead long ago."""
        return bool(await self._fetch(BEAT, self.worker_id, running, memory, is_draining))

    async def leave(self) -> None:
        """Say that nothing of ours runs any more."""
        await self._fetch(LEAVE, self.worker_id)

    async def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=2)
        self._connection = None
