"""Signing in with Chromium and a real server: what only a browser knows, such as the headers it sends with a form."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from infra.local.embedded import EmbeddedRedis
from models.base.crypto import Keys
from tests.accounts.conftest import letters, sessions_made
from tests.design.test_in_the_browser import CHROMIUM_ARGUMENTS
from tests.web.site import Site, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS)
        yield one
        await one.close()


@pytest.fixture
async def live(database_url: str, redis_server: EmbeddedRedis) -> AsyncIterator[Site]:
    """The application behind a real server."""
    async with served(database_url, redis_server.url) as (site, _server):
        yield site


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_ada_signs_in_with_and_without_scripts(
    chromium: Browser, live: Site, keys: Keys, has_scripts: bool
) -> None:
    desk = await (await chromium.new_context(java_script_enabled=has_scripts)).new_page()
    phone = await (await chromium.new_context(java_script_enabled=has_scripts)).new_page()
    complaints: list[str] = []
    desk.on("console", lambda one: complaints.append(one.text) if "Policy" in one.text else None)

    await desk.goto(f"{live.base_url}/sign-in")
    await desk.get_by_label("Your e-mail address").fill("ada@nowhere")
    await desk.get_by_role("button", name="Send me the letter").click()
    await expect(desk.get_by_role("alert")).to_contain_text("There is a problem")
    await desk.get_by_label("Your e-mail address").fill("ada@example.com")
    await desk.get_by_role("button", name="Send me the letter").click()
    await expect(desk.get_by_role("heading", level=1)).to_have_text("Look into your inbox")

    (letter,) = await letters(live.database, keys)
    await phone.goto(f"{live.base_url}{letter.path}")
    await expect(phone.get_by_role("heading", level=1)).to_have_text("Enter the code from the letter")
    await phone.get_by_label("Six-digit code").fill(letter.other_code)
    await phone.get_by_role("button", name="Sign in").click()
    await expect(phone.get_by_role("alert")).to_contain_text("4 more tries")

    await desk.goto(f"{live.base_url}{letter.path}")
    button = desk.get_by_role("button", name="Continue as a•••@example.com")
    # Scripts send a form once; without them a second press can take the place of the first one's answer.
    await (button.dblclick() if has_scripts else button.click())
    await expect(desk.get_by_role("heading", level=1)).to_have_text("Your orders")
    assert await sessions_made(live.database) == 1
    await desk.go_back()
    await expect(desk.get_by_role("heading", level=1)).to_have_text("Your orders")
    assert complaints == []
