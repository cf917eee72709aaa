"""Passkeys with Chromium and its own virtual authenticator: what only a browser knows about our page and script."""

import socket
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from infra.local.embedded import EmbeddedRedis
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.settings.selling import AccountSettings
from tests.accounts.conftest import letters
from tests.design.test_in_the_browser import CHROMIUM_ARGUMENTS
from tests.web.site import Site, serving, settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EDITOR = "ed@example.com"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS)
        yield one
        await one.close()


@pytest.fixture
async def live(database_url: str, redis_server: EmbeddedRedis) -> AsyncIterator[Site]:
    """The application behind a real server with a name: an address of digits is no place for passkeys."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        url = f"http://localhost:{listening.getsockname()[1]}"
        settings = settings_for(database_url, redis_server.url, public_url=url).model_copy(
            update={"accounts": AccountSettings(staff_need_passkeys=True)}
        )
        async with serving(settings, listening) as (site, _):
            yield site


async def sign_in(page: Page, live: Site, keys: Keys) -> None:
    await page.goto(f"{live.base_url}/sign-in?again=yes")
    await page.get_by_label("Your e-mail address").fill(EDITOR)
    await page.get_by_role("button", name="Send me the letter").click()
    await page.get_by_label("Six-digit code").fill((await letters(live.database, keys))[0].code)
    await page.get_by_role("button", name="Sign in").click()


async def test_ed_is_led_to_a_passkey_signs_in_with_it_and_is_told_when_the_device_refuses(
    chromium: Browser, live: Site, keys: Keys
) -> None:
    async with live.database.transaction() as session:
        session.add(Person(email=EDITOR, role=Role.EDITOR))
    context = await chromium.new_context()
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda one: complaints.append(one.text) if "Policy" in one.text else None)
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    made = await devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    device = {"authenticatorId": made["authenticatorId"]}

    await sign_in(page, live, keys)
    await expect(page.get_by_text("Whoever works here needs a passkey")).to_be_visible()
    await page.get_by_label("Name").fill("Laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("What needs somebody")
    await expect(page.get_by_text("Laptop is added")).to_be_visible()

    # Signed out, the letter leads to the passkey; a device that does not know its owner is told of, and may try again.
    await context.clear_cookies()
    await sign_in(page, live, keys)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Use your passkey")
    await devtools.send("WebAuthn.setUserVerified", {**device, "isUserVerified": False})
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("did not give a passkey")
    await devtools.send("WebAuthn.setUserVerified", {**device, "isUserVerified": True})
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("What needs somebody")
    assert complaints == []
    await context.close()
