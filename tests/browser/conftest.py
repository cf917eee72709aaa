"""A real browser in the shop, with a worker that works while it is open."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tasks.testing import working
from tests.orders.selling import Shop, shop

__all__ = ["shop"]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET = ["--disable-background-networking", "--disable-component-update"]

Tabs = Callable[..., Any]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium: the machine's, or else Playwright's. Where nobody looks at skipped tests, its absence is a failure."""
    path = _chromium()
    async with async_playwright() as playwright:
        if path is None and not _is_there(playwright.chromium.executable_path):
            missing = "Chromium is missing: `playwright install chromium`, or set CHROMIUM to its path"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
        browser = await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *QUIET])
        yield browser
        await browser.close()


def _chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def _is_there(path: str) -> bool:
    return Path(path).exists()


@pytest.fixture
async def open_shop(shop: Shop) -> AsyncIterator[Shop]:
    """The shop with a worker that works all the time."""
    async with working(shop.world):
        yield shop


@pytest.fixture
async def tabs(chromium: Browser, open_shop: Shop) -> AsyncIterator[Tabs]:
    """Makes tabs, each with cookies of its own. What the browser complained about fails the test at its end."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def one(width: int = 1280, height: int = 900, **how: Any) -> Page:
            context = await stack.enter_async_context(_context(chromium, open_shop, width, height, how))
            page = await context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if _is_trouble(said) else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield one
    assert complaints == []


def _is_trouble(said: ConsoleMessage) -> bool:
    # A refused form is an answer; Chromium notes it as an error all the same.
    return said.type == "error" and "status of 422" not in said.text


@asynccontextmanager
async def _context(
    chromium: Browser, shop: Shop, width: int, height: int, how: dict[str, Any]
) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(
        base_url=shop.site.base_url, viewport={"width": width, "height": height}, **how
    )
    context.set_default_timeout(15_000)
    yield context
    await context.close()
