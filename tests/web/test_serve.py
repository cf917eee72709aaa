"""The web process itself: how it starts, what it refuses to start with, and how it ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import orjson
import psutil
import pytest

from infra.local.embedded import EmbeddedRedis, free_port
from tests.web.site import SECRET

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60.0
#: Idle, with every module loaded that the process loads by itself.
MOST_MEMORY = 150 * 2**20


def environment(database_url: str, redis_url: str, port: int, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "ENVIRONMENT": "test",
        "SECRET_KEY": SECRET,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "STRIPE_SECRET_KEY": "sk_test_1",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        **more,
    }


def run(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "web"],
        cwd=ROOT,
        env=dict(settings),
        capture_output=True,
        text=True,
        timeout=STARTS_WITHIN,
        check=False,
    )


@asynccontextmanager
async def web_process(settings: Mapping[str, str]) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`python -m web` in a process of its own, ready to answer; its log is piped."""
    process = subprocess.Popen(  # noqa: ASYNC220 - starting is all it blocks for
        [sys.executable, "-m", "web"],
        cwd=ROOT,
        env=dict(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with (
            asyncio.timeout(STARTS_WITHIN),
            httpx2.AsyncClient(base_url=settings["PUBLIC_URL"]) as client,
        ):
            while process.poll() is None:
                try:
                    await client.get("/health/live")
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
                else:
                    break
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_process_serves_streams_and_ends_politely(database_url: str, redis_server: EmbeddedRedis):
    port = free_port()
    async with (
        web_process(environment(database_url, redis_server.url, port)) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        ready = await client.get("/health/ready")
        page = await client.get("/dev/mail", headers={"X-Request-ID": "trace-0123456789"})
        memory = psutil.Process(process.pid).memory_info().rss
        async with client.stream("GET", "/dev/mail/live") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            process.send_signal(signal.SIGTERM)
            rest = [line async for line in lines]
        async with asyncio.timeout(15):
            out = await asyncio.to_thread(process.communicate)

    assert ready.json() == {"status": "ok", "database": "ok", "redis": "ok"}
    assert page.status_code == 200
    assert page.headers.get("server") is None
    assert not any("done" in line for line in rest)
    assert process.returncode == -signal.SIGTERM
    assert memory < MOST_MEMORY
    lines_of_log = [orjson.loads(line) for line in out[0].splitlines()]
    answered = [line for line in lines_of_log if line.get("correlation_id") == "trace-0123456789"]
    assert [(line["event"], line["route"], line["status"], line["process"]) for line in answered] == [
        ("web.answered", "/dev/mail", 200, "web")
    ]
    assert not any(line.get("level") in {"error", "warning"} for line in lines_of_log)


def test_a_port_in_use_is_said_in_one_sentence(database_url: str, redis_server: EmbeddedRedis):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(environment(database_url, redis_server.url, port))

    assert done.returncode == 2
    assert done.stderr == (
        f"Galley cannot start: port {port} on 127.0.0.1 is in use by another program. "
        "Stop it, or set PORT to a free port.\n"
    )


def test_an_address_that_is_not_ours_is_said_too(database_url: str, redis_server: EmbeddedRedis):
    done = run(environment(database_url, redis_server.url, 8000, HOST="192.0.2.1"))

    assert done.returncode == 2
    assert "HOST=192.0.2.1" in done.stderr


def test_settings_that_are_not_fit_are_named_before_anything_starts():
    done = run({"PATH": os.environ["PATH"], "PORT": "70000"})

    assert done.returncode == 2
    assert "PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_process_starts_without_libraries_it_may_never_need():
    code = "import sys, web.serve; print([m for m in ('stripe', 'boto3', 'openai', 'anthropic', 'taskiq') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
