"""How fast the webhook answers: signed events at a fixed rate against one web process of the product.

`python -m tests.benchmarks.webhooks [--rate 200] [--seconds 30]` starts PostgreSQL, Redis and the web process on a
folder of their own, and prints p50, p95, p99 and the slowest in milliseconds. The aim is a p99 below 50 ms.
"""

import argparse
import asyncio
import atexit
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httpx2

from infra.local.embedded import EmbeddedPostgres, EmbeddedRedis, free_port
from models.migrations import migrate

SECRET = secrets.token_hex(16)
GOAL_MS = 50


@contextmanager
def web_process(folder: Path) -> Iterator[tuple[str, str]]:
    """One web process as in production: its address, and that of its migrated database."""
    port = free_port()
    postgres = EmbeddedPostgres(folder / "postgres", {})
    redis = EmbeddedRedis(folder / "redis")
    database = postgres.database("galley")
    migrate(database)
    environment = os.environ | {
        "ENVIRONMENT": "test",
        "PUBLIC_URL": f"http://localhost:{port}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URL": database,
        "REDIS_URL": redis.url,
        "STRIPE_SECRET_KEY": "sk_test_of_the_benchmark",
        "STRIPE_WEBHOOK_SECRETS": SECRET,
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "web"], env=environment, stdout=subprocess.DEVNULL)
    try:
        while not _answers(port):
            if process.poll() is not None:
                raise RuntimeError("the web process did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", database
    finally:
        process.terminate()
        process.wait(timeout=60)
        redis.stop()
        postgres.stop()


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health/ready", timeout=1, trust_env=False).is_success
    except httpx2.HTTPError:
        return False


def event(number: int) -> tuple[bytes, str]:
    """An event of the size of Stripe's, and its signature. Every fifth is a second delivery of an earlier one."""
    number -= number % 5 == 4
    payload = json.dumps(
        {
            "id": f"evt_{number}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()),
            "type": "checkout.session.completed",
            "livemode": False,
            "data": {"object": {"id": f"cs_test_{number}", "padding": "x" * 3000}},
        }
    ).encode()
    at = int(time.time())
    digest = hmac.new(SECRET.encode(), b"%d.%b" % (at, payload), hashlib.sha256).hexdigest()
    return payload, f"t={at},v1={digest}"


class Line(asyncio.Protocol):
    """One connection kept alive that carries one request at a time. A client's library takes as much of the machine as
    the server under test, so this reads no more of an answer than its status and length.
    """

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Resolve the answer once its head and body are here."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and self._answer is not None:
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if len(body) >= (int(length[1]) if length else 0):
                self._received = b""
                self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for ever."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def send(self, request: bytes) -> int:
        """The status of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


def request(url: str, number: int) -> bytes:
    """The delivery of an event, as it goes over the wire."""
    payload, signature = event(number)
    host, path = url.removeprefix("http://").split("/", 1)
    return (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Stripe-Signature: {signature}\r\nContent-Length: {len(payload)}\r\n\r\n"
    ).encode() + payload


async def deliver(url: str, rate: float, seconds: float) -> tuple[list[float], Counter[int]]:
    """Send at a fixed rate, whether the last has been answered or not. Milliseconds, and answers by status."""
    took: list[float] = []
    statuses: Counter[int] = Counter()
    address = urlsplit(url)
    idle: list[Line] = []
    # Signed beforehand: what is measured is the answering.
    requests = [request(url, number) for number in range(int(rate * seconds))]

    async def one(line: Line, number: int, due: float) -> None:
        statuses[await line.send(requests[number])] += 1
        # From when it should have been sent: a stalled server must not slow its own measurement.
        took.append((time.monotonic() - due) * 1000)
        idle.append(line)

    began, running = time.monotonic(), []
    for number in range(len(requests)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        line = (
            idle.pop()
            if idle
            else (
                await asyncio.get_running_loop().create_connection(
                    Line, str(address.hostname), address.port or 80
                )
            )[1]
        )
        running.append(asyncio.create_task(one(line, number, due)))
    await asyncio.gather(*running)
    return took, statuses


def percentile(values: list[float], part: float) -> float:
    """The value below which `part` of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="galley-webhooks-"))
    folder.chmod(0o755)
    # Registered first, so it is done last: the embedded servers touch their folder until the process ends.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with web_process(folder) as (origin, _):
        url = f"{origin}/webhooks/stripe"
        # Until every connection is open and every statement prepared: what is measured is a process at work.
        asyncio.run(deliver(url, options.rate, 5))
        took, statuses = asyncio.run(deliver(url, options.rate, options.seconds))
    print(f"{len(took)} deliveries at {options.rate:.0f} a second: {dict(statuses)}")
    print(
        f"p50 {statistics.median(took):.1f} ms, p95 {percentile(took, 0.95):.1f} ms,"
        f" p99 {percentile(took, 0.99):.1f} ms (aim: below {GOAL_MS}), slowest {max(took):.1f} ms"
    )


if __name__ == "__main__":
    main()
