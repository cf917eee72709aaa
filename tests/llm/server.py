"""A model provider on loopback: it speaks OpenAI's and Anthropic's protocols and says what the script says.

    async with ModelServer() as server:
        server.script = [Status(503), Say('{"word": "x"}')]

Each request takes the next step of the script, whichever protocol it comes in, and is kept in `calls`. With `answer`,
a function of the call, there is no script: it says what each is answered.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.llm.protocols import response
from tests.llm.script import Silence, Status, Step


@dataclass(frozen=True)
class Call:
    """A request as it came over the wire."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def is_openai(self) -> bool:
        return self.path.startswith("/v1/chat/completions")

    @property
    def system(self) -> str:
        """The trusted part."""
        if self.is_openai:
            return "".join(
                _text(each) for each in self.body["messages"] if each["role"] in {"system", "developer"}
            )
        return _text({"content": self.body.get("system", "")})

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(role, text) of every message but the system's."""
        messages = [each for each in self.body["messages"] if each["role"] not in {"system", "developer"}]
        return [(each["role"], _text(each)) for each in messages]

    @property
    def user(self) -> str:
        """The first user message: the material."""
        return self.turns[0][1]


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class ModelServer:
    """The server. `url` is its root; OpenAI's base URL is `url + "/v1"`, Anthropic's is `url`."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.answer: Callable[[Call], Step] | None = None
        self.calls: list[Call] = []
        self.called = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        try:
            call = await _read(reader)
            self.calls.append(call)
            self.called.set()
            step = self.answer(call) if self.answer else self._next()
            if isinstance(step, Silence):
                await reader.read()
            else:
                writer.write(response(step, is_openai=call.is_openai))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _next(self) -> Step:
        return self.script.pop(0) if self.script else Status(418, error="nothing more in the script")


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(head[0].split(" ")[1], headers, json.loads(body or b"{}"))
