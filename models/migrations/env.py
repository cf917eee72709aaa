"""How Alembic reaches the database: one transaction, one migrating process at a time, never waiting long for a lock.

Whoever waits for a lock on a busy table lets everybody else wait behind. So a migration waits for half a second, gives
everything back, lets the product go on, and begins again.
"""

import asyncio
import os

import structlog
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from models.base.db import database_url
from models.everything import metadata

#: Any number, the same for every migrating process of this product.
ADVISORY_LOCK = 7_223_001
#: Less than PostgreSQL's `deadlock_timeout` of a second: where our locks and those of a request cross, we give way, and
#: it is not the request that PostgreSQL chooses to fail.
LOCK_TIMEOUT = "500ms"
TRIES = 40
PAUSE_SECONDS = 0.5
#: lock_not_available, deadlock_detected
BUSY = frozenset({"55P03", "40P01"})

log = structlog.get_logger("migrations")


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


async def _try(engine: AsyncEngine) -> bool:
    """Migrate, unless a table is busy."""
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in BUSY:
            raise
        log.warning("migrations.table_busy", statement=error.statement)
        return False
    return True


async def _main() -> None:
    url = context.config.attributes.get("url") or os.environ["DATABASE_URL"]
    engine = create_async_engine(database_url(url), poolclass=NullPool)
    for _ in range(TRIES):
        if await _try(engine):
            break
        await asyncio.sleep(PAUSE_SECONDS)
    else:
        raise SystemExit(
            "The migration found its tables busy each time. Nothing was changed; try again later."
        )
    await engine.dispose()


asyncio.run(_main())
