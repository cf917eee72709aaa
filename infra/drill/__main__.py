"""`make drill`: back the running product up, restore it beside itself to one moment, and compare.

The product of GALLEY_DATA (`.data`) runs on meanwhile. It is backed up as RDS does it: a base backup, and every change
as it is written. Nothing of it is altered but for two lines in the audit log, one before the moment, which must be
there again, and one after it, which must not. Exits with 1 if anything differs.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.drill.contents import Contents, contents
from infra.drill.servers import NAME, Source, restored, safe
from infra.local.folder import CannotStart
from infra.local.processes import ROOT
from models.accounts.audit import audit
from models.base.db import Database
from models.everything import metadata


async def drill(source: Source, folder: Path) -> list[str]:
    """Do it all, saying what is measured; what differs."""
    connection, archive = await source.connect(), folder / "archive"
    database = Database(source.url, pool_size=1, name=NAME)
    try:
        async with source.archived(archive, connection):
            await safe(connection)
            began = time.monotonic()
            source.back_up(folder / "postgres")
            _say(began, f"a base backup of {_size(folder / 'postgres')} MB")
            await _write_down(database, "before the moment")
            print(
                f"{await safe(connection):8.3f} s  from a commit to the archive's disk: the most that can be lost (RPO)"
            )
            async with _moment(database, connection) as session:
                there = await contents(session)
            await _write_down(database, "after the moment")
            await safe(connection)
    finally:
        await connection.close()
        await database.close()
    began = time.monotonic()
    async with restored(folder, archive) as url:
        _say(began, "from the backup to a server that takes orders again (RTO)")
        began = time.monotonic()
        again = Database(url, pool_size=1, name=NAME)
        async with again.transaction() as session:
            found = await contents(session)
        await again.close()
    _say(began, f"to compare {_words(found)}")
    return there.differences(found)


async def _write_down(database: Database, moment: str) -> None:
    async with database.transaction() as session:
        await audit(session, "command line", "backup.drilled", "system", written=moment)


@asynccontextmanager
async def _moment(database: Database, connection: asyncpg.Connection) -> AsyncIterator[AsyncSession]:
    """Name the present moment in the stream of changes; a transaction that sees exactly what was committed until then.

    For the few milliseconds between the two nobody may write.
    """
    async with database.transaction() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        async with asyncio.timeout(60):
            while not await _named(connection, session):  # noqa: ASYNC110 - what we wait for is in another process
                await asyncio.sleep(0.5)
        yield session


async def _named(connection: asyncpg.Connection, session: AsyncSession) -> bool:
    """Name the moment, unless somebody writes for longer than others should wait behind us."""
    tables = ", ".join(f'"{name}"' for name in metadata.tables)
    try:
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '500ms'")
            await connection.execute(f"lock table {tables} in share mode")
            await session.execute(text("select pg_create_restore_point(:name)"), {"name": NAME})
    except asyncpg.LockNotAvailableError:
        return False
    return True


def _say(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:8.3f} s  {what}", flush=True)


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) // 1_000_000


def _words(found: Contents) -> str:
    rows = sum(count for count, _ in found.tables.values())
    return (
        f"{rows} rows of {len(found.tables)} tables, the chain of {found.audit_log[0]} audited deeds, "
        f"{len(found.truths)} truths about money, {len(found.texts)} published texts and {len(found.papers)} invoices"
    )


@contextmanager
def workplace(source: Source) -> Iterator[Path]:
    """A folder for the backup, the archive and the second server, that PostgreSQL's user may walk to."""
    folder = Path(tempfile.mkdtemp(prefix="galley-drill-"))
    try:
        folder.chmod(0o711)
        for one in (folder / "archive", folder / "postgres"):
            one.mkdir(mode=0o700)
            if source.user is not None:
                os.chown(one, *source.user)
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Drill; 1 if what was restored is not what there was, 2 if there is nothing to restore."""
    try:
        source = Source(ROOT / os.environ.get("GALLEY_DATA", ".data"))
        with workplace(source) as folder:
            differences = asyncio.run(drill(source, folder))
    except CannotStart as why:
        print(why, file=sys.stderr)
        return 2
    print("\n".join(differences) or "What was restored is what there was.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
