"""The engine's hot path, in SQL: claiming, finishing and beating, on connections of the worker's own.

Two things here were paid for by measuring. `id = any(array(select …))` and custom plans: with asyncpg's
cached generic plans a batched finish walks the batch for every row of it. And no statement that finishes says
`state = 'active'`, see `tables.JobRow`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy.engine import make_url

#: What a job says of itself when its worker has died with it.
DIED: Final = "The worker that ran this died."


def suspected(job: str, attempt: str) -> str:
    """SQL for whether the two attempts of a job before this one both ended with the death of their worker.

    It may kill them, or have stood twice beside one that does: of such jobs a worker runs one at a time.
    """
    return f"""({job}.error is not distinct from '{DIED}' and
               (select count(*) from job_attempts tried
                 where tried.job_id = {job}.id and tried.attempt between {attempt} - 2 and {attempt} - 1
                   and tried.outcome = 'worker died') = 2)"""  # noqa: S608 - our own words


#: Makes those jobs a worker's (`$1`) that the query `which` names.
TAKE: Final = f"""
update jobs set state = 'active', attempt = attempt + 1, worker_id = $1, started_at = clock_timestamp(),
                done = null, total = null, words = null, blocked_by = 'limit/' || limit_key,
                unique_key = case when not frees_key then unique_key end
 where id = any(array({{which}}))
returning id, kind, queue, args, attempt, max_attempts, subject, correlation_id, created_at, run_at, started_at,
          flow_id, limit_key, secret, {suspected("jobs", "jobs.attempt")}
"""  # noqa: S608 - our own words
#: Whoever is suspected waits for another one that runs here, or would die with it and be blamed for it.
_MAY_RUN: Final = f"""(jobs.error is distinct from '{DIED}' or not {suspected("jobs", "(jobs.attempt + 1)")}
                    or not exists (select from jobs mine where mine.worker_id = $1 and mine.state = 'active'
                                      and {suspected("mine", "mine.attempt")}))"""
_CLAIM: Final = TAKE.format(
    which=f"""
       select picked.id
         from unnest($2::text[], $3::int[]) as wanted (name, slots)
        cross join lateral (
              select id from jobs
               where queue = wanted.name and state = 'waiting' and blocked_by is null and {{which}} and {_MAY_RUN}
               order by rank_at, id
               limit wanted.slots
                 for update skip locked) picked"""  # noqa: S608 - our own words
)

#: From queues that nobody has decided anything about. The others are claimed from in `gates`.
CLAIM: Final = _CLAIM.format(
    which="""not exists (select from job_queues q where q.name = wanted.name and
                           (q.paused_at is not null or q.max_running is not null or q.rate_count is not null
                            or q.closed_until > statement_timestamp()))"""
)
CLAIM_GATED: Final = _CLAIM.format(
    which="""not exists (select from job_queues q where q.name = wanted.name and
                           (q.paused_at is not null or q.closed_until > statement_timestamp()))"""
)
CLAIM_ANYWAY: Final = _CLAIM.format(which="run_anyway")

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
 where id = $2 and attempt = $3 and worker_id = $1 and finished_at is null
"""

#: What is nobody's and has used up its attempts is left to `actions.rescue`, which buries it.
DISOWN: Final = """
update jobs set state = case when jobs.attempt > max_attempts then state else 'waiting' end, worker_id = null
  from unnest($2::uuid[], $3::smallint[]) as held (id, attempt)
 where jobs.id = held.id and jobs.attempt = held.attempt and jobs.worker_id = $1 and jobs.finished_at is null
returning jobs.id, held.attempt, jobs.started_at
"""
_NOT_RUN: Final = """
insert into job_attempts (job_id, attempt, worker_id, outcome, error, started_at, finished_at)
select jobs.id, held.attempt, $1, 'not run', 'Its worker had it and knew nothing of it.', held.began, clock_timestamp()
  from unnest($2::uuid[], $3::smallint[], $4::timestamptz[]) as held (id, attempt, began) join jobs on jobs.id = held.id
    on conflict do nothing
"""

OWNED: Final = """
select id, attempt, cancel_asked_at is not null as is_cancelled from jobs where worker_id = $1 and state = 'active'
"""

ARRIVE: Final = """
insert into job_workers (id, host, pid, queues, beat_at) values ($1, $2, $3, $4::jsonb, clock_timestamp())
    on conflict (id) do update set beat_at = clock_timestamp()
"""

BEAT: Final = """
update job_workers set beat_at = clock_timestamp(), running = $2, memory_bytes = $3, lingering = $4, is_draining = $5
 where id = $1
returning id
"""

LEAVE: Final = "delete from job_workers where id = $1"

#: Rows may wait for a lock, never for long: a claim skips what is locked, a finish waits for a rescue at most.
SETTINGS: Final = {
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "lock_timeout": "5000",
    "statement_timeout": "15000",
    # Who is frozen on its way through a gate holds it for nobody else longer than this.
    "idle_in_transaction_session_timeout": "10000",
}
#: To plan a claim takes longer than to make it. Its one good plan is that of the index, whatever the tables have grown to
#: since it was made.
SETTINGS_OF_CLAIMS: Final = SETTINGS | {"plan_cache_mode": "force_generic_plan", "enable_bitmapscan": "off"}


@dataclass(slots=True)  # to freeze it takes four times as long to make, for every job
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
    flow_id: UUID | None
    #: With one, the row is ours, but it may not be begun before `gates.admit` has let it through.
    limit_key: str | None
    secret: bytes | None = field(repr=False)
    #: See `suspected`.
    is_suspect: bool = False


@dataclass(slots=True)  # as above
class Fence:
    """What a write for an attempt must match."""

    job_id: UUID
    attempt: int
    worker_id: UUID
    #: Whoever ends a job of a flow locks the flow's row before the job's.
    flow_id: UUID | None = None


#: A job and one of its attempts.
Held = tuple[UUID, int]


def claims_of(rows: Sequence[asyncpg.Record]) -> list[Claim]:
    """What a claiming statement returned."""
    return [Claim(*row.values()) for row in rows]


async def connect(url: str, name: str, settings: Mapping[str, str] = SETTINGS) -> asyncpg.Connection:
    """A connection for the engine alone."""
    plain = make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql")
    return await asyncpg.connect(
        plain.render_as_string(hide_password=False),
        timeout=5,
        command_timeout=15,
        server_settings={**settings, "application_name": name},
    )


class Store:
    """One worker's way to the rows. Each verb is one round trip; a lost connection is opened again by the next.

    One call at a time: claiming and finishing have a store each, so that neither waits for the other.
    """

    def __init__(self, url: str, worker_id: UUID, name: str, settings: Mapping[str, str] = SETTINGS) -> None:
        self.worker_id = worker_id
        self._url = url
        self._name = name
        self._settings = settings
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        self.on_connect: Callable[[asyncpg.Connection], Awaitable[None]] | None = None

    async def _use(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await connect(self._url, self._name, self._settings)
            try:
                if self.on_connect is not None:
                    await self.on_connect(connection)
            except BaseException:
                # Used as it is, it would never hear what it was to listen to.
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._turn:
            connection = await self._use()
            try:
                yield connection
            except (
                OSError,
                TimeoutError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                asyncpg.PostgresConnectionError,
            ):
                # The answer may be lost, so the connection is of no more use: the next call begins afresh.
                connection.terminate()
                self._connection = None
                raise

    async def fetch(self, statement: str, *args: Any) -> list[asyncpg.Record]:
        """The rows of one statement that commits by itself."""
        async with self._connected() as connection:
            return await connection.fetch(statement, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """Several statements that count together."""
        async with self._connected() as connection, connection.transaction():
            yield connection

    async def claim(self, slots: Mapping[str, int]) -> list[Claim]:
        """Take up to `slots[queue]` waiting jobs of each queue, first in rank first, and make them ours.

        Queues that are paused or limited are passed over, and jobs with a `limit_key` are not to be begun yet.
        """
        return claims_of(await self.fetch(CLAIM, self.worker_id, list(slots), list(slots.values())))

    async def complete(self, ended: Sequence[tuple[UUID, int, str | None]]) -> set[UUID]:
        """Complete a batch of (id, attempt, result as JSON). Returns the ids that were still ours."""
        ids, attempts, results = zip(*ended, strict=True)
        return {row["id"] for row in await self.fetch(COMPLETE, self.worker_id, ids, attempts, results)}

    async def promote(self, limit: int = 1000) -> set[str]:
        """Let scheduled jobs whose time has come wait with the others. Returns the queues that got some."""
        return {row["queue"] for row in await self.fetch(PROMOTE, limit)}

    async def release(self, job_id: UUID, attempt: int) -> None:
        """Give a job back untried: the attempt does not count."""
        await self.fetch(RELEASE, self.worker_id, job_id, attempt)

    async def disown(self, held: Collection[Held]) -> None:
        """Let go of jobs of which nobody here knows. The attempts stay spent, so that none circles for ever; yet none dies
        of this alone: one that has used up its attempts gets another one, once.
        """
        gone = await self.fetch(DISOWN, self.worker_id, *zip(*held, strict=True))
        if gone:
            # By itself: what the database would not hear of an attempt may be why nobody knows of it.
            with suppress(asyncpg.PostgresError):
                await self.fetch(_NOT_RUN, self.worker_id, *zip(*gone, strict=True))

    async def owned(self) -> dict[Held, bool]:
        """The jobs that are ours by the rows, with their attempts, and whether each was asked to stop.

        They are more than we run if a claim's answer was lost.
        """
        rows = await self.fetch(OWNED, self.worker_id)
        return {(row["id"], row["attempt"]): row["is_cancelled"] for row in rows}

    async def arrive(self, host: str, pid: int, queues: str) -> None:
        """Be known as alive. `queues` is JSON: slots by queue."""
        await self.fetch(ARRIVE, self.worker_id, host, pid, queues)

    async def beat(
        self, running: int, memory: int | None, lingering: Sequence[UUID] = (), *, is_draining: bool
    ) -> bool:
        """Say that we live, and which cancelled jobs do not stop here. False if our row is gone: somebody took us for dead
        long ago.
        """
        return bool(await self.fetch(BEAT, self.worker_id, running, memory, lingering, is_draining))

    async def leave(self) -> None:
        """Say that nothing of ours runs any more."""
        await self.fetch(LEAVE, self.worker_id)

    async def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=2)
        self._connection = None
