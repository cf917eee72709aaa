"""The customer's way in Chromium: by mouse, by keyboard, on a phone, in the dark, and without scripts."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Page

from models.orders.letters import facts_of, tell_customer
from tests.browser.conftest import Tabs
from tests.orders.selling import ANCHOR, ARTICLE, OWNER, Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Set it to a folder to look at what the browser saw.
LOOKS = os.environ.get("SCREENSHOTS")


async def look(page: Page, name: str) -> None:
    """Nothing is wider than the window; and, if somebody wants to look, a picture."""
    size = page.viewport_size
    assert size is not None
    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"], page.url
    if LOOKS:
        await page.screenshot(path=Path(LOOKS) / f"{name}.png", full_page=True)


async def buy(page: Page, shop: Shop, name: str) -> None:
    """From the catalogue to an order whose text is ready, without reloading a page by hand."""
    await page.goto("/")
    await look(page, f"{name}-1-catalogue")
    await page.get_by_role("link", name="The Other Ingredient").click()
    await look(page, f"{name}-2-article")
    await page.get_by_role("link", name="Place a link in this article").click()
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("heading", name="There is a problem").wait_for()
    await look(page, f"{name}-3-refused")
    await page.get_by_label("E-mail").fill(OWNER)
    await page.get_by_label("Page to link to").fill(shop.target())
    await page.get_by_label("Words of the link").fill(ANCHOR)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("heading", name="Look into your inbox").wait_for()
    await look(page, f"{name}-4-letter")
    await page.get_by_label("Six-digit code").fill(await shop.code())
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Your page can be reached").wait_for()
    await look(page, f"{name}-5-draft")
    await page.get_by_role("button", name="Pay $199.00").click()
    await page.wait_for_url(f"{shop.sandbox.url}/**")
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_role("heading", name="Order G-1001").wait_for()
    await page.get_by_text("Your text is ready.").wait_for()
    await page.get_by_role("heading", name="Version 1", exact=True).wait_for()
    await look(page, f"{name}-6-ready")


async def test_a_customer_buys_and_decides_at_a_desk(tabs: Tabs, open_shop: Shop):
    page = await tabs()
    await buy(page, open_shop, "desk")
    assert await page.locator("ins, .diff-placed").first.is_visible()
    first = await page.locator("[id^=change-]").get_attribute("id")
    await page.get_by_label("The link is placed too early").check()
    await page.get_by_role("button", name="Write another version").click()
    await page.get_by_role("heading", name="Version 2", exact=True).wait_for()
    assert await page.locator(".diff").count() == 1
    assert await page.locator("[id^=change-]").get_attribute("id") != first
    await look(page, "desk-7-again")
    await page.get_by_label("Version 1").check()
    await page.get_by_role("button", name="Submit for review").click()
    await page.get_by_text("The editor has your version").first.wait_for()
    await look(page, "desk-8-submitted")
    await page.goto("/orders")
    await look(page, "desk-9-orders")


async def test_a_customer_buys_on_a_phone(tabs: Tabs, open_shop: Shop):
    page = await tabs(390, 844, has_touch=True, is_mobile=True)
    await buy(page, open_shop, "phone")
    await page.goto("/orders")
    await look(page, "phone-9-orders")
    await page.goto("/articles/second-pour/water-for-coffee")
    await look(page, "phone-10-reading")


async def test_a_customer_buys_in_the_dark(tabs: Tabs, open_shop: Shop):
    page = await tabs(color_scheme="dark")
    await buy(page, open_shop, "dark")


async def test_a_customer_buys_with_the_keyboard_alone(tabs: Tabs, open_shop: Shop):
    page = await tabs()
    await page.goto(ARTICLE)
    await press(page, "Place a link in this article")
    await page.wait_for_url("**/order")
    for field, words in (("email", OWNER), ("target_url", open_shop.target()), ("anchor_text", ANCHOR)):
        await tab_to(page, partial(_has_id, page, field))
        await page.keyboard.type(words)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Look into your inbox").wait_for()
    await tab_to(page, partial(_has_id, page, "code"))
    await page.keyboard.type(await open_shop.code())
    await page.keyboard.press("Enter")
    await page.get_by_text("Your page can be reached").wait_for()
    await press(page, "Pay $199.00")
    await page.wait_for_url(f"{open_shop.sandbox.url}/**")
    await press(page, "Pay")
    await page.get_by_text("Your text is ready.").wait_for()
    await press(page, "Submit for review")
    await page.get_by_text("The editor has your version").first.wait_for()


async def test_a_customer_buys_without_scripts(tabs: Tabs, open_shop: Shop):
    page = await tabs(java_script_enabled=False)
    await page.goto(f"{ARTICLE}/order")
    await page.get_by_label("E-mail").fill(OWNER)
    await page.get_by_label("Page to link to").fill(open_shop.target())
    await page.get_by_label("Words of the link").fill(ANCHOR)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Six-digit code").fill(await open_shop.code())
    await page.get_by_role("button", name="Sign in").click()
    # The page looks again by itself, every few seconds.
    await page.get_by_text("Your page can be reached").wait_for()
    await page.get_by_role("button", name="Pay $199.00").click()
    await page.wait_for_url(f"{open_shop.sandbox.url}/**")
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_text("Your text is ready.").wait_for()
    await page.get_by_role("button", name="Submit for review").click()
    await page.get_by_text("The editor has your version").first.wait_for()


async def test_what_somebody_has_chosen_and_opened_stays_when_the_page_changes_by_itself(
    tabs: Tabs, open_shop: Shop
):
    page = await tabs()
    await buy(page, open_shop, "stays")
    await page.get_by_label("The link is placed too early").focus()
    await page.keyboard.press("Space")
    await page.locator(".diff-same summary").first.click()
    await page.get_by_label("The link is placed too early").focus()
    async with open_shop.database.transaction() as session:
        facts = await facts_of(session, await open_shop.order_id())
        told = {"days_left": 3, "review_deadline": "6 December 2026"}
        await tell_customer(session, open_shop.world.settings, facts, "review_reminder", "1", **told)
    await page.get_by_text("Letter “a version waits for you”").wait_for()
    assert await page.get_by_label("The link is placed too early").is_checked()
    assert await page.evaluate("document.activeElement.value") == "too_early"
    assert await page.locator(".diff-same[open]").count() == 1


async def press(page: Page, words: str) -> None:
    """Go to what says `words` by tabulator, and press Enter there."""

    async def is_there() -> bool:
        said = await page.evaluate("document.activeElement.innerText || ''")
        return str(said).strip().startswith(words)

    await tab_to(page, is_there)
    await page.keyboard.press("Enter")


async def tab_to(page: Page, is_there: Callable[[], Awaitable[bool]]) -> None:
    """Press the tabulator until the focus is there."""
    for _ in range(80):
        if await is_there():
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"The keyboard does not get there on {page.url}")


async def _has_id(page: Page, wanted: str) -> bool:
    return bool(await page.evaluate("id => document.activeElement.id === id", wanted))
