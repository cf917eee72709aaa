"""A wire between a process and its server that lets a request through and loses the answer, on demand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Connect = Callable[[], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Wire:
    """Passes everything on. Each mark in `to_lose` costs one answer: the first that contains it, and its connection."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.to_lose: list[bytes] = []
        self.port = 0

    async def serve(self, down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        try:
            answers, requests = await self._connect()
        except OSError:
            up.transport.abort()
            return
        ways = (
            asyncio.create_task(self._pass(down, requests, is_answer=False)),
            asyncio.create_task(self._pass(answers, up, is_answer=True)),
        )
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (requests, up):
            end.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                lost = next((mark for mark in self.to_lose if is_answer and mark in data), None)
                if lost is not None:
                    self.to_lose.remove(lost)
                    return
                sink.write(data)
                await sink.drain()


@asynccontextmanager
async def wire_to(where: Path | int) -> AsyncIterator[Wire]:
    """A wire to a Unix socket or to a port of this machine."""

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(where, Path):
            return await asyncio.open_unix_connection(str(where))
        return await asyncio.open_connection("127.0.0.1", where)

    wire = Wire(connect)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
