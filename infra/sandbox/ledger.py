"""Where the sandbox keeps everything: its own PostgreSQL schema, one transaction per thing that happens.

Every object of a payment names its session as `root`, and whoever changes a payment holds that row's lock
first. So there is one lock per payment, no order of locks to get wrong, and no double charge.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson

from infra.sandbox import objects
from infra.sandbox.errors import missing
from infra.sandbox.faults import Trouble

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

Object: TypeAlias = dict[str, Any]
SCHEMA = "pay_sandbox"
DATABASE_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What may go wrong with a database for a while; the last, when it is killed in the middle of an answer."""
_SCHEMA_SQL = files("infra.sandbox").joinpath("schema.sql").read_text(encoding="utf-8")
_SCHEMA_VERSION = hashlib.sha256(_SCHEMA_SQL.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cause:
    """The API call that an event is the consequence of; nothing for the clock and the hosted page."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Clock:
    """Real time plus a shift, so that hours pass in a test when it says so."""

    shift: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass(slots=True)
class Transaction:
    """One thing that happens: what it reads, changes and tells, all or nothing."""

    connection: "Connection"
    now: datetime
    cause: Cause
    trouble: Trouble
    endpoints: int

    @property
    def unix(self) -> int:
        return int(self.now.timestamp())

    async def lock(self, object_id: str) -> None:
        """Wait for, and take, the payment that the object belongs to."""
        await self.connection.execute(
            "SELECT FROM object WHERE id = (SELECT root FROM object WHERE id = $1) FOR UPDATE", object_id
        )

    async def hold(self, object_id: str, kind: str, noun: str, *, param: str = "id") -> Object:
        """Lock the payment that the object belongs to, then read the object. 404 when there is none."""
        await self.lock(object_id)
        body = await self.find(object_id, kind)
        if body is None:
            raise missing(noun, object_id, param=param)
        return body

    async def get(self, object_id: str) -> Object:
        """An object that is known to exist."""
        body: Object = await self.connection.fetchval("SELECT body FROM object WHERE id = $1", object_id)
        return body

    async def find(self, object_id: str, kind: str) -> Object | None:
        return await self.connection.fetchval(  # type: ignore[no-any-return]
            "SELECT body FROM object WHERE id = $1 AND kind = $2", object_id, kind
        )

    async def root_of(self, object_id: str) -> str:
        root: str = await self.connection.fetchval("SELECT root FROM object WHERE id = $1", object_id)
        return root

    async def hidden(self, session_id: str) -> Object:
        hidden: Object = await self.connection.fetchval("SELECT hidden FROM object WHERE id = $1", session_id)
        return hidden

    async def hide(self, session_id: str, **facts: Any) -> None:
        await self.connection.execute(
            "UPDATE object SET hidden = hidden || $2 WHERE id = $1", session_id, facts
        )

    async def add(self, body: Object, *, root: str) -> Object:
        await self.connection.execute(
            "INSERT INTO object (id, kind, created, root, body) VALUES ($1, $2, $3, $4, $5)",
            body["id"],
            body["object"],
            body["created"],
            root,
            body,
        )
        return body

    async def change(self, body: Object, **changes: Any) -> Object:
        """Change some attributes; answers with the old values of those that differ (`previous_attributes`)."""
        previous = {name: body.get(name) for name, value in changes.items() if body.get(name) != value}
        body.update(changes)
        await self.connection.execute("UPDATE object SET body = $2 WHERE id = $1", body["id"], body)
        return previous

    async def tell(self, event_type: str, about: Object, *, previous: Object | None = None) -> Object:
        """Write an event and its deliveries; the courier takes them once the transaction is committed."""
        event = objects.event(event_type, about, previous=previous, now=self.unix, cause=self.cause)
        event["pending_webhooks"] = self.endpoints
        await self.add(event, root=event["id"])
        troubled = self.trouble.webhooks if self.trouble.webhooks.touches(event_type) else None
        is_dropped = troubled is not None and troubled.take_drop()
        copies = troubled.take_copies() if troubled is not None and not is_dropped else 1
        for endpoint in range(self.endpoints):
            for _ in range(copies):
                await self.connection.execute(
                    "INSERT INTO delivery (event_id, endpoint, state, created_at, next_attempt_at)"
                    " VALUES ($1, $2, $3, $4, $5)",
                    event["id"],
                    endpoint,
                    "dropped" if is_dropped else "waiting",
                    self.now,
                    self.now + (troubled.postponement() if troubled is not None else timedelta()),
                )
        return event

    async def plan(self, kind: str, object_id: str, at: datetime) -> None:
        await self.connection.execute(
            "INSERT INTO due (kind, object_id, due_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (kind, object_id) DO UPDATE SET due_at = excluded.due_at",
            kind,
            object_id,
            at,
        )

    async def unplan(self, kind: str, object_id: str) -> None:
        await self.connection.execute("DELETE FROM due WHERE kind = $1 AND object_id = $2", kind, object_id)


@dataclass(slots=True)
class Ledger:
    pool: asyncpg.Pool
    clock: Clock
    trouble: Trouble = field(default_factory=Trouble)
    endpoints: int = 0
    """How many webhook endpoints there are now; each event is owed to each of them."""

    @asynccontextmanager
    async def transaction(self, cause: Cause = Cause()) -> AsyncIterator[Transaction]:
        async with self.pool.acquire() as connection, connection.transaction():
            yield Transaction(connection, self.clock.now(), cause, self.trouble, self.endpoints)

    async def shift_clock(self, by: timedelta) -> None:
        """Move the clock. Turned back, it takes the waiting deliveries along: they were owed now."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE clock SET shift = shift + $1", by)
            if by < timedelta():
                await connection.execute(
                    "UPDATE delivery SET next_attempt_at = next_attempt_at + $1 WHERE state = 'waiting'", by
                )
        self.clock.shift += by

    async def reset(self) -> None:
        self.trouble.end()
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("TRUNCATE object, delivery, due, idempotency_key")
            await connection.execute("UPDATE clock SET shift = '0'")
        self.clock.shift = timedelta()


@asynccontextmanager
async def open_ledger(database_url: str) -> AsyncIterator[Ledger]:
    """Connect to a database that `create_schema` has prepared."""
    pool = asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=8,
        init=_speak_json,
        server_settings={"search_path": SCHEMA, "application_name": "pay-sandbox"},
    )
    async with pool:
        shift = await pool.fetchval("SELECT shift FROM clock")
        yield Ledger(pool, Clock(shift))


async def create_schema(database_url: str) -> None:
    """Make the schema where it is missing, or anew where it is of another version of the sandbox."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", SCHEMA)
            version = await connection.fetchval(
                "SELECT obj_description(to_regnamespace($1), 'pg_namespace')", SCHEMA
            )
            if version == _SCHEMA_VERSION:
                return
            if version is not None:
                print(f"The tables of the pay sandbox changed: its test payments are forgotten ({SCHEMA}).")
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
            await connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            await connection.execute(_SCHEMA_SQL)
            await connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{_SCHEMA_VERSION}'")
    finally:
        await connection.close()


async def _speak_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )
