"""The PostgreSQL that is backed up, and the one that is made of the backup."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg

from infra.local.folder import CannotStart, DataFolder
from infra.local.postgres import DATABASE, Postgres, binary

#: The name that the archiver connects under, and of the moment that is restored.
NAME: Final = "drill"
STARTS_WITHIN: Final = 60.0
#: Where the disk can be asked to write everything, it is not asked for each of some thousand files.
_SYNCS_BACKUP: Final = ("--sync-method=syncfs",) if sys.platform == "linux" else ()
_SYNCS_RESTORED: Final = ("-c", "recovery_init_sync_method=syncfs") if sys.platform == "linux" else ()
_SLOT: Final = "select active from pg_replication_slots where slot_name = $1"
_NOT_RUNNING: Final = "No PostgreSQL runs in {folder}. Start the product first, in another terminal: make up"


class Source:
    """The PostgreSQL of a running product."""

    def __init__(self, folder: Path) -> None:
        data = folder / "postgres"
        self._not_running = CannotStart(_NOT_RUNNING.format(folder=folder))
        try:
            # Its fifth line is where the sockets lie.
            self._sockets = (data / "postmaster.pid").read_text().splitlines()[4]
        except (OSError, IndexError):
            raise self._not_running from None
        self.url = f"postgresql://postgres@/{DATABASE}?host={quote(self._sockets, safe='/')}"
        owner = data.stat()
        #: The user that its programs run as, for root: PostgreSQL's own.
        self.user = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else None

    async def connect(self) -> asyncpg.Connection:
        """A connection to it."""
        try:
            return await asyncpg.connect(self.url)
        except OSError:
            raise self._not_running from None

    @asynccontextmanager
    async def archived(self, folder: Path, connection: asyncpg.Connection) -> AsyncIterator[None]:
        """Every change is written to `folder` as it is made, and is on the disk there before that is said."""
        await _drop_slot(connection)
        # With a slot PostgreSQL keeps what the archiver has not read yet, however slow it is.
        await connection.fetchval("select pg_create_physical_replication_slot($1, true)", NAME)
        where = ("-S", NAME, "-D", folder, "-d", self._connection())
        process = subprocess.Popen(  # noqa: ASYNC220 - starting is all it blocks for
            self._words(("pg_receivewal", "--synchronous", "--no-loop", *where)),
            stderr=subprocess.DEVNULL,
            **self._as_user(),
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            await _drop_slot(connection)

    def back_up(self, folder: Path) -> None:
        """A base backup into `folder`; the checksum of every page is looked at on the way."""
        how = ("-X", "none", "-c", "fast", *_SYNCS_BACKUP)
        command = self._words(("pg_basebackup", "-D", folder, *how, "-d", self._connection()))
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_user())
        if done.returncode:
            raise CannotStart(f"PostgreSQL cannot be backed up:\n{done.stderr.strip()}")

    def _connection(self) -> str:
        return f"host={self._sockets} user=postgres application_name={NAME}"

    def _words(self, command: tuple[object, ...]) -> list[str]:
        return [str(binary(str(command[0]))), *map(str, command[1:])]

    def _as_user(self) -> dict[str, Any]:
        user, group = self.user or (None, None)
        return {"user": user, "group": group, "extra_groups": self.user and [], "cwd": "/"}


async def _drop_slot(connection: asyncpg.Connection) -> None:
    """Take the archiver's slot away, once nobody reads from it; a drill that was killed has left one."""
    try:
        async with asyncio.timeout(10):
            while (is_active := await connection.fetchval(_SLOT, NAME)) is not False:
                if is_active is None:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CannotStart("Another drill is at work here. Wait until it has ended.") from None
    await connection.execute("select pg_drop_replication_slot($1)", NAME)


async def safe(connection: asyncpg.Connection, within: float = 30) -> float:
    """Wait until all that is committed now is in the archive; how many seconds that took."""
    began, end = time.monotonic(), await connection.fetchval("select pg_current_wal_flush_lsn()")
    query = f"select coalesce(bool_or(flush_lsn >= $1), false) from pg_stat_replication where application_name = '{NAME}'"  # noqa: S608 - our own name
    async with asyncio.timeout(within):
        while not await connection.fetchval(query, end):  # noqa: ASYNC110 - what we wait for is in another process
            await asyncio.sleep(0.002)
    return time.monotonic() - began


@asynccontextmanager
async def restored(folder: Path, archive: Path) -> AsyncIterator[str]:
    """A server of its own on the base backup in `folder`, brought to the moment NAME; the URL of its database."""
    # The copy brought the lock of the first one's socket along, which lies among its data.
    (folder / "postgres" / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    fetch = " || ".join(f'cp "{archive}/{one}" "%p"' for one in ("%f", "%f.partial"))
    with (folder / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f"restore_command = '{fetch}'\nrecovery_target_name = '{NAME}'\nrecovery_target_action = 'promote'\n"
        )
    (folder / "postgres" / "recovery.signal").touch()
    server = Postgres(DataFolder(folder))
    process = server.start(*_SYNCS_RESTORED)
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            while not await _is_restored(server.url):
                if process.poll() is not None:
                    raise CannotStart(server.trouble())
                await asyncio.sleep(0.02)
        yield server.url
    finally:
        process.send_signal(signal.SIGQUIT)  # nobody wants what it would write down
        process.wait()


async def _is_restored(url: str) -> bool:
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return not await connection.fetchval("select pg_is_in_recovery()")
        finally:
            await connection.close()
    return False
