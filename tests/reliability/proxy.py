"""A wire between a process and its server that loses answers and requests, or delivers them late, on demand."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

#: How long a server takes at most for a request that arrives late, in seconds.
ANSWERED_WITHIN: Final = 5.0

Connect = Callable[[], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Wire:
    """Passes everything on, but what is marked.

    Each mark in `to_lose` costs one answer: the first that contains it, and its connection. Of the requests or answers
    with a mark of `one_in`, one in so many is lost with its connection. Each mark in `to_hold` keeps one request
    back, which `deliver` brings to the server when whoever sent it may be long gone.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.to_lose: list[bytes] = []
        self.one_in: dict[bytes, int] = {}
        self.to_hold: list[bytes] = []
        self.port = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._met: Counter[bytes] = Counter()
        self._late: list[bytearray] = []

    async def serve(self, down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        try:
            if self._is_cut:
                raise ConnectionRefusedError
            answers, requests = await self._connect()
        except OSError:
            up.transport.abort()
            return
        self._ends |= {requests, up}
        ways = (
            asyncio.create_task(self._pass(down, requests, is_answer=False)),
            asyncio.create_task(self._pass(answers, up, is_answer=True)),
        )
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (requests, up):
            end.transport.abort()
        self._ends -= {requests, up}

    def cut(self) -> None:
        """Let nothing through, and end what is connected."""
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        """Let through again what connects anew."""
        self._is_cut = False

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self._is_one_in(data) or (is_answer and _took(self.to_lose, data)):
                    return
                if not is_answer and _took(self.to_hold, data):
                    self._late.append(late := bytearray(data))
                    while data := await source.read(65536):
                        late += data
                    return
                sink.write(data)
                await sink.drain()

    def _is_one_in(self, data: bytes) -> bool:
        met = [mark for mark in self.one_in if mark in data]
        self._met.update(met)
        return any(self._met[mark] % self.one_in[mark] == 0 for mark in met)

    async def deliver(self) -> None:
        """Let the server carry out what was kept back. Nobody waits for the answers any more."""
        for late in self._late:
            answers, requests = await self._connect()
            requests.write(late)
            # What was cut off with its sender, after its head and before its body, is no request: nobody answers it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWERED_WITHIN):
                    await answers.readuntil(b"\r\n\r\n")
            requests.close()


def _took(marks: list[bytes], data: bytes) -> bool:
    """Take the first of the marks that is in the data, if one is."""
    found = next((mark for mark in marks if mark in data), None)
    if found is not None:
        marks.remove(found)
    return found is not None


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
