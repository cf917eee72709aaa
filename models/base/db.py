"""The database: the base of every table, and the only place in the product that commits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg
import structlog
import uuid_utils.compat
from sqlalchemy import BigInteger, Engine, Enum, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from models.base.crash_points import crash_point

log = structlog.get_logger(__name__)

_NOTIFY = "select pg_notify('jobs', queue) from unnest($1::text[]) queue"

#: Between two tellings, in seconds: what is committed within it goes together. One that comes alone waits for nothing.
_BREATH = 0.003

NAMES = {
    "ix": "%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def _values(states: type[StrEnum]) -> list[str]:
    return [state.value for state in states]


class Row(DeclarativeBase):
    """The base of every table: text without lengths, aware times, JSON as jsonb."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        str: Text(),
        int: BigInteger(),
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        # Text with a check: a native enum type cannot lose a value, and gains one only outside a transaction.
        StrEnum: Enum(StrEnum, native_enum=False, create_constraint=True, length=24, values_callable=_values),
    }


def new_id() -> UUID:
    """A UUID of version 7: unguessable enough to name things, ordered by time so that indexes stay small."""
    return uuid_utils.compat.uuid7()


def first_id(at: datetime) -> UUID:
    """The smallest id that `new_id` can have made at that moment or later: 48 bits of milliseconds, then chance."""
    return UUID(int=(max(0, int(at.timestamp() * 1000)) << 80) | (7 << 76) | (2 << 62))


@dataclass(slots=True)
class News:
    """What a transaction has to tell once it is committed: queues that have work, topics that have changed."""

    queues: set[str] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.queues or self.topics)

    def add(self, other: "News") -> None:
        """Take in what somebody else has to tell."""
        self.queues |= other.queues
        self.topics |= other.topics


Tell = Callable[[News], Awaitable[bool]]
#: What a statement in the driver's own words brings: columns in its order.
Rows = Sequence[Iterable[Any]]


class Connection(asyncpg.Connection):
    """A connection on which a transaction that lost a statement does not seem to commit.

    PostgreSQL answers COMMIT with ROLLBACK where a statement before it failed. The driver drops that answer, so where
    the error of the statement was swallowed, all that was written would be gone without a word.
    """

    __slots__ = ()

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's
        """The status of the command; raises `asyncpg.InFailedSQLTransactionError` for a commit that was none."""
        status: str = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query == "COMMIT;":
            raise asyncpg.InFailedSQLTransactionError(
                "nothing was written: a statement before the commit failed, and its error was swallowed"
            )
        return status


class Statement:
    """One statement that commits by itself, in the driver's own words: one round trip where a transaction has three.

    SQLAlchemy keeps the connections and nothing more: what it does around a statement took twice as long as to ask for
    a job takes without it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.info: dict[str, Any] = {}

    async def fetch(self, statement: str, values: tuple[object, ...]) -> Rows:
        """The rows that come back; raises `DBAPIError` as a session does."""
        held = await greenlet_spawn(self._connect)
        try:
            rows: Rows = await _driver(held).fetch(statement, *values)
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                # Cancelled, late, cut off: an answer that still comes must not be taken for that of the next statement.
                held.invalidate()
            if isinstance(
                error, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError
            ):
                raise DBAPIError(statement, None, error, hide_parameters=True) from error
            raise
        finally:
            held.close()
        return rows

    def _connect(self) -> PoolProxiedConnection:
        """One that lives: after the database was away, all that wait in the pool are closed."""
        while _driver(held := self._engine.raw_connection()).is_closed():
            held.invalidate()
        return held


def _driver(held: PoolProxiedConnection) -> asyncpg.Connection:
    connection = held.driver_connection
    assert isinstance(connection, asyncpg.Connection)
    return connection


async def fetch(session: AsyncSession | Statement, statement: str, *values: object) -> Rows:
    """The rows of a statement in the driver's own words (`$1`), in the session's transaction or by itself."""
    if isinstance(session, Statement):
        return await session.fetch(statement, values)

    def fetch_in(inner: Session) -> Rows:
        result = inner.connection().exec_driver_sql(statement, values)
        return result.all() if result.returns_rows else []

    return await session.run_sync(fetch_in)


def news_of(session: AsyncSession | Statement) -> News:
    """The news that this transaction has gathered so far."""
    news: News = session.info.setdefault("news", News())
    return news


def changed(session: AsyncSession, topic: str) -> None:
    """Say that whatever `topic` names (`order/<id>`, `person/<id>`) will look different once this commits."""
    news_of(session).topics.add(topic)


def database_url(url: str) -> URL:
    """The URL in the form that SQLAlchemy and asyncpg want, whichever common form it came in."""
    found = make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+asyncpg")
    # libpq's name, and asyncpg's for the same.
    query = {"ssl" if name == "sslmode" else name: value for name, value in found.query.items()}
    return found.set(query=query)


class Database:
    """A pool of connections and the one way to hold a transaction.

    `tell` is called after commits that had news, by a task of its own: who committed does not wait for it, and what
    several have to tell while it is on its way goes together. It must not raise: the news is a courtesy, the rows are
    the truth. When it says that it could not tell, the bells ring through PostgreSQL instead.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, tell: Tell | None = None, name: str = "galley"
    ) -> None:
        self.engine: AsyncEngine = create_async_engine(
            database_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            pool_recycle=1800,
            # Errors are logged, and what people typed is among the parameters.
            hide_parameters=True,
            connect_args={
                "connection_class": Connection,
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {"application_name": name, "idle_in_transaction_session_timeout": "60000"},
            },
        )
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.tell = tell
        self._untold = News()
        self._telling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Hold a session that commits when the block ends and rolls back when it raises.

        The news is told after the commit, and only then: nobody hears of what never happened.
        """
        async with self._sessions() as session:
            yield session
            await session.commit()
        self._spread(session)

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncSession]:
        """Hold a session whose statements each commit by themselves: to look something up with one of them, without the
        two round trips of a transaction. What is added to it is never written, and news is not told.
        """
        async with self._sessions(bind=self._alone) as session:
            yield session

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Statement]:
        """Hold what takes one statement, where nothing else is read or written: see `Statement`."""
        statement = Statement(self.engine.sync_engine)
        yield statement
        self._spread(statement)

    def _spread(self, session: AsyncSession | Statement) -> None:
        news: News | None = session.info.get("news")
        if news:
            crash_point("after a commit, before anybody is told")
            self._untold.add(news)
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        while self._untold:
            news, self._untold = self._untold, News()
            if not (self.tell and await self.tell(news)):
                await self._notify(news.queues)
            await asyncio.sleep(_BREATH)

    async def _notify(self, queues: set[str]) -> None:
        """Ring by NOTIFY. After the commit and not in it: a NOTIFY inside makes every commit wait in one line."""
        if not queues:
            return
        try:
            async with self.statement() as alone:
                await fetch(alone, _NOTIFY, list(queues))
        except (SQLAlchemyError, OSError, TimeoutError):
            log.warning("news.not_told", queues=sorted(queues))

    async def told(self) -> None:
        """Wait until all that was committed here so far has been told."""
        if self._telling is not None:
            await self._telling

    async def close(self) -> None:
        """Tell what is left to tell, and give every connection back."""
        await self.told()
        await self.engine.dispose()
