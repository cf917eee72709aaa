"""A web process that dies between its commit and its answer: the customer heard nothing, and what was asked for is done."""

import asyncio
import contextlib
import os
import signal
import sys

import httpx2
import pytest
from sqlalchemy import select

from infra.local.embedded import free_port
from infra.local.visitor import Browser
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from tasks.testing import run_everything
from tasks.world import World

pytestmark = pytest.mark.slow


async def test_a_letter_is_written_once_though_nobody_was_told_that_it_would_be(world: World) -> None:
    port = free_port()
    environment = os.environ | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://localhost:{port}",
        "LOG_LEVEL": "error",
        "CRASH_POINT": "after a commit, before anybody is told",
    }
    web = await asyncio.create_subprocess_exec(sys.executable, "-m", "web", env=environment)
    try:
        async with Browser(f"http://localhost:{port}") as browser:
            await _answers(browser)
            screen = await browser.open("/sign-in")
            with pytest.raises(httpx2.TransportError):
                await browser.submit(screen.form("/sign-in"), email="ada@example.com")
        assert await asyncio.wait_for(web.wait(), 30) == -signal.SIGKILL
    finally:
        if web.returncode is None:
            web.kill()
            await web.wait()

    await run_everything(world)

    async with world.database.transaction() as session:
        letters = (await session.execute(select(EmailMessage.to_address, EmailMessage.state))).all()
    assert letters == [("ada@example.com", LetterState.SENT)]


async def _answers(browser: Browser) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                await browser.open("/health/live")
                return
            await asyncio.sleep(0.1)
