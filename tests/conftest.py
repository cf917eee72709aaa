"""The world that tests run in: a real PostgreSQL and a real Redis, started once, an own database for each test."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from emails.post import OutboxPost
from infra.local.embedded import EmbeddedPostgres, EmbeddedRedis
from models.base.crypto import Keys
from models.base.db import Database
from models.base.news import Herald, connect
from models.base.settings import Settings, load
from models.everything import metadata
from models.migrations import migrate
from tasks.world import World
from tests.storefront import sandbox, sandbox_process, served_application, storefront
from tests.web.site import end_lasting_sites

__all__ = ["sandbox", "sandbox_process", "served_application", "storefront"]

#: A test database may lose everything when the machine dies. The reliability suite brings a safe one of its own.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: it is not looked through at each collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """A folder that every process of this test run shares, whether pytest-xdist is at work or not.

    Not one of pytest's: those are closed to other users, and PostgreSQL never runs as root.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return Path(tempfile.gettempdir()) / f"galley-tests-{run}"


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL server of this run."""
    server = EmbeddedPostgres(run_folder / "postgres", FAST)
    yield server
    if server.stop():
        shutil.rmtree(run_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """The name of a database that was built by migrating: what each test's own one is copied from."""
    name = f"template_{os.getpid()}"
    migrate(postgres.database(name))
    return name


@pytest.fixture(scope="session")
def process_database(postgres: EmbeddedPostgres, migrated: str) -> Iterator[str]:
    """The URL of a migrated database that belongs to this test process. Making one takes as long as a test does."""
    name = f"tests_{os.getpid()}"
    asyncio.run(_do(postgres.url, f'create database "{name}" template "{migrated}"'))
    yield make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    asyncio.run(_do(postgres.url, f'drop database "{name}" with (force)'))


async def _do(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


#: A table larger than this is emptied by `truncate`, which gives its pages back but makes new files for each index.
_LARGE = 1024 * 1024

#: The names of the connection that empties the database, and of those that tests lend each other.
_CLEANER, _LENT = "tests", "tests, lent"

_LET_GO = f"""
select pg_terminate_backend(pid) from pg_stat_activity
 where datname = current_database() and application_name <> '{_CLEANER}'
   and not (application_name = '{_LENT}' and state = 'idle')
"""

#: What there is that was not there when it was migrated: tables, rows in ours, sequences that have begun.
_LEFT = f"""
select array(select tablename::text from pg_tables
              where schemaname = 'public' and tablename <> 'alembic_version'
                and tablename <> all ('{{{",".join(metadata.tables)}}}')),
       array_remove(array[{", ".join(f"case when exists(select from {one}) then '{one}' end" for one in metadata.tables)}],
                    null),
       array(select sequencename::text from pg_sequences where last_value is not null)
"""


async def _empty(connection: asyncpg.Connection) -> None:
    """Make the database as it was migrated. Most tests write to a few tables only; foreign keys rest meanwhile."""
    (found,) = await connection.fetch(_LEFT)
    tables, used, sequences = found
    sizes = await connection.fetch(
        "select t, pg_total_relation_size(t::regclass) from unnest($1::text[]) t", used
    )
    statements = [
        "set local session_replication_role = replica",
        *(f'drop table "{one}" cascade' for one in tables),
        *(f"truncate {one} cascade" if size > _LARGE else f"delete from {one}" for one, size in sizes),
        *(f'alter sequence if exists "{one}" restart' for one in sequences),
    ]
    async with connection.transaction():
        await connection.execute("; ".join(statements))


@pytest.fixture(scope="session")
async def cleaner(process_database: str) -> AsyncIterator[asyncpg.Connection]:
    """The connection that empties the database before each test: to open one takes longer than to empty it."""
    connection = await asyncpg.connect(process_database, server_settings={"application_name": _CLEANER})
    yield connection
    await connection.close()


@pytest.fixture
async def database_url(process_database: str, cleaner: asyncpg.Connection) -> str:
    """The URL of a migrated, empty database that nobody else uses while this test runs."""
    await cleaner.execute(_LET_GO)
    await _empty(cleaner)
    return process_database


@pytest.fixture
def emptied(cleaner: asyncpg.Connection, database: Database) -> Callable[[], Awaitable[None]]:
    """For a test of many small stories: makes its database as empty as it was in the beginning."""
    assert database is not None

    async def empty() -> None:
        await _empty(cleaner)

    return empty


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The Redis server of this test process."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def redis_client(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    """The client of this test process."""
    client = connect(redis_server.url)
    yield client
    await client.aclose()
    await client.connection_pool.disconnect()


@pytest.fixture
async def redis(redis_client: Redis) -> Redis:
    """A client of an empty Redis."""
    await (
        redis_client.connection_pool.disconnect()
    )  # a connection that an earlier test has cut is not met again
    await redis_client.flushall()
    return redis_client


@pytest.fixture(scope="session")
async def warm_database(process_database: str) -> AsyncIterator[Database]:
    """The pool of this test process. What it has once compiled stays compiled for the tests that follow."""
    one = Database(process_database, pool_size=5, name=_LENT)
    yield one
    await end_lasting_sites()
    await one.close()


@pytest.fixture
async def database(warm_database: Database, database_url: str, redis: Redis) -> AsyncIterator[Database]:
    """A migrated database of this test's own, whose commits tell their news through Redis."""
    warm_database.tell = Herald(redis).tell
    yield warm_database
    await warm_database.told()
    if warm_database.engine.sync_engine.pool.checkedout():  # type: ignore[attr-defined]
        await warm_database.close()


@pytest.fixture
def settings(database_url: str, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a fresh installation in test mode."""
    environment = {
        "ENVIRONMENT": "test",
        "PUBLIC_URL": "http://localhost:8000",
        "SECRET_KEY": "a secret of the tests, long enough to be one",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_server.url,
        "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
        "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_tests",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


@pytest.fixture
def world(settings: Settings, database: Database, redis: Redis) -> World:
    """What a worker of this installation has."""
    return World(settings, database, redis, Keys.of(settings), OutboxPost())
