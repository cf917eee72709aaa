"""A PostgreSQL that syncs every commit to the disk, and a Redis with its append-only file: the suite's own, to be killed."""

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from infra.local.embedded import EmbeddedRedis
from infra.local.folder import DataFolder
from infra.local.postgres import Postgres
from models.migrations import migrate

TEMPLATE = "migrated"
#: After a crash PostgreSQL syncs each file of each database by itself, which takes longer than all the rest.
_RECOVERY = ("-c", "recovery_init_sync_method=syncfs") if sys.platform == "linux" else ()


class Servers:
    """Both servers, and a database for each fault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = EmbeddedRedis(folder / "redis")
        self._postgres = Postgres(DataFolder(folder))
        self._process: subprocess.Popen[bytes] | None = None

    async def start_postgres(self) -> None:
        """Start PostgreSQL, also over what a killed one has left."""
        async with asyncio.timeout(60):
            while not await self._postgres.is_ready():
                if self._process is None or self._process.poll() is not None:
                    self._process = self._postgres.start(*_RECOVERY)
                await asyncio.sleep(0.05)

    def kill_postgres(self) -> None:
        """As a power cut would end it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_redis(self) -> None:
        """The same."""
        self.redis.process.kill()
        self.redis.process.wait()

    async def prepare(self) -> None:
        """Start, and migrate the database that the others are copied from."""
        await asyncio.to_thread(self._postgres.prepare)
        await self.start_postgres()
        await self.run(f'create database "{TEMPLATE}"')
        await asyncio.to_thread(migrate, self.url_of(TEMPLATE))

    def url_of(self, database: str) -> str:
        """The URL of a database, through the server's socket."""
        return make_url(self._postgres.url).set(database=database).render_as_string(hide_password=False)

    @property
    def socket(self) -> Path:
        """The socket that PostgreSQL listens on."""
        return Path(str(make_url(self._postgres.url).query["host"])) / ".s.PGSQL.5432"

    async def run(self, statement: str, database: str = "postgres") -> Any:
        """Run one statement, outside of a transaction. Returns the first value of what it finds."""
        connection = await asyncpg.connect(self.url_of(database))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def stop(self) -> None:
        """Stop both."""
        self.redis.stop()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=20)


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Servers in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="galley-reliability-"))
    both = Servers(folder)
    try:
        await both.prepare()
        yield both
    finally:
        both.stop()
        shutil.rmtree(folder, ignore_errors=True)
