"""Real processes for tests that pay: the sandbox, and a receiver of webhooks. Other slices' tests use them too."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SECRET = "whsec_only_for_tests"


class SandboxProcess:
    """`python -m infra.sandbox` on a free port; `url` is where it answers."""

    def __init__(self, database_url: str, **environment: str) -> None:
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "PAY_SANDBOX_PORT": "0",
            "ENVIRONMENT": "test",
            **environment,
        }
        self.url = ""
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.sandbox"],
            env=self._environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("pay sandbox: "):
                self.url = line.removeprefix("pay sandbox: ").strip()
                break
        process.stdout.close()
        if not self.url:
            process.wait()
            raise RuntimeError(f"the pay sandbox did not start ({process.returncode})")
        return process

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a machine dies: without a word."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait(timeout=20)

    def restart(self) -> None:
        """Start again after `stop` or `kill`: the same database, the same port."""
        self._environment["PAY_SANDBOX_PORT"] = self.url.rpartition(":")[2]
        self._process = self._start()


class Receiver:
    """A webhook endpoint that keeps what it was sent, and answers as told.

    `answers` are statuses for the next requests, then 200; `pause` is how long it thinks before it answers.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[bytes, str]] = []
        self.answers: list[int] = []
        self.pause = 0.0
        self._news = asyncio.Condition()

    async def until(self, condition: Callable[[], bool], within: float = 15) -> None:
        """Wait until the condition holds; it is looked at after each request."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(condition)

    def forget(self) -> None:
        self.received.clear()
        self.answers.clear()
        self.pause = 0.0

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            headers = {
                name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            await asyncio.sleep(self.pause)
            status = self.answers.pop(0) if self.answers else 200
            async with self._news:
                self.received.append((body, headers.get("stripe-signature", "")))
                self._news.notify_all()
            writer.write(f"HTTP/1.1 {status} Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver._take, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/stripe"
    try:
        yield receiver
    finally:
        server.close()
