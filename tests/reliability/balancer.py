"""Web processes as a platform runs them, and the load balancer in front of them."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2

from infra.local.embedded import free_port
from infra.local.readiness import answers


class Web:
    """One `python -m web`, or one `without` a guard."""

    def __init__(self, environment: Mapping[str, str], log: Path, without: str | None = None) -> None:
        self.port = free_port()
        own = {"HOST": "127.0.0.1", "PORT": str(self.port)}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                (sys.executable, "-m", *(("tests.reliability.guards", without) if without else ("web",))),
                env={**os.environ, **environment, **own},
                stdout=out,
                stderr=out,
            )

    async def is_ready(self) -> None:
        """Wait until its health check lets it be sent requests."""
        async with asyncio.timeout(120):
            while not await answers(self.port, "/health/ready"):
                assert self.process.poll() is None, "the web process did not start"
                await asyncio.sleep(0.05)

    async def end(self) -> int:
        """Ask it to end, whatever it is doing; its exit status."""
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, 60)


class Balancer(httpx2.AsyncBaseTransport):
    """Hands each request to the next target, over connections that it keeps open, and never tries one again.

    A target that was taken out may finish what it has been given, as behind a balancer of the cloud.
    """

    def __init__(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=60)
        self._wires = httpx2.AsyncHTTPTransport(limits=limits)
        self._turns = itertools.count()
        self.targets: list[Web] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass one request on."""
        target = self.targets[next(self._turns) % len(self.targets)]
        request.url = request.url.copy_with(host="127.0.0.1", port=target.port)
        return await self._wires.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wires.aclose()
