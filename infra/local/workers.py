"""As many workers as the dispatcher wishes: it writes its decisions down, and here they come true.

One that has jobs is never ended, however few are wanted: the next look may find it idle.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from infra.local.processes import Keeper
from infra.local.readiness import plain
from models.base.away import DATABASE_ERRORS
from tasks.queues import services

LOOK_SECONDS: Final = 0.25

#: What is wanted of each service that has been decided about.
_WANTED: Final = """
select service, latest.wanted from unnest($1::text[]) as services (service)
 cross join lateral (select wanted from job_scalings s where s.service = services.service order by at desc limit 1) latest
"""
#: The workers of this machine that have jobs, by their processes.
_BUSY: Final = """
select pid from job_workers w
 where host = $1 and exists (select from jobs where worker_id = w.id and state = 'active')
"""

Start = Callable[[str, list[str]], Awaitable[Keeper]]


class Workers:
    """The workers of this machine. `start` makes one with a name, for some queues."""

    def __init__(self, database_url: str, start: Start) -> None:
        self._url = plain(database_url)
        self._start = start
        self._services = services("local")
        self._keepers: dict[str, dict[int, Keeper]] = {name: {} for name in self._services}

    async def add(self, service: str) -> None:
        """Start one more worker of a service, under the lowest number that is free."""
        keepers = self._keepers[service]
        number = next(one for one in range(1, len(keepers) + 2) if one not in keepers)
        keepers[number] = await self._start(f"{service}.{number}", self._services[service])

    async def follow(self) -> None:
        """Do what is wished until cancelled; while the database is away, what is so stays so."""
        while True:
            with contextlib.suppress(*DATABASE_ERRORS):
                connection = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
                try:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(LOOK_SECONDS)
                finally:
                    connection.terminate()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, connection: asyncpg.Connection) -> None:
        for service, wanted in await connection.fetch(_WANTED, list(self._services)):
            keepers = self._keepers[service]
            while len(keepers) < wanted:
                await self.add(service)
            if len(keepers) > wanted:
                busy = {row["pid"] for row in await connection.fetch(_BUSY, socket.gethostname())}
                spare = [
                    number for number in sorted(keepers, reverse=True) if keepers[number].pid not in busy
                ]
                for number in spare[: len(keepers) - wanted]:
                    await keepers[number].end()
                    del keepers[number]
