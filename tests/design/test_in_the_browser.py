"""The gallery in Chromium, under the content policy of production."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

from tests.design import looks
from web.shell import gallery

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".ico": "image/x-icon"}
FORM = """{% import "shell/forms.html" as forms %}{% from "shell/buttons.html" import button %}
{% call forms.form("/order", "order-form", problems, is_live=true) %}
{{ forms.url("target_url", "Page to link to", error=problems.get("target_url")) }}{{ button("Continue") }}
{% endcall %}"""
FORM_PAGE = f"""{{% extends "shell/page.html" %}}{{% block title %}}Details{{% endblock %}}{{% block main %}}
<h1>Details</h1>{FORM}<form hx-post="/fault"><button>Break</button></form>{{% endblock %}}"""
LIVE_PAGE = """{% extends "shell/page.html" %}{% import "shell/progress.html" as progress %}{% block main %}
<h1>Order</h1>{% call progress.live(stream) %}<p id="order-status">At first</p>{% endcall %}{% endblock %}"""
TABS_PAGE = """{% extends "shell/page.html" %}{% import "shell/navigation.html" as navigation %}{% block main %}
{{ navigation.tabs("Sections", sections) }}<h1>Sections</h1>{% endblock %}"""
SECTIONS = [(f"Section {number}", "/tabs", number == 8, None) for number in range(12)]
STREAM = 'id: 1\ndata: <p id="order-status" data-title="45% · Order">Now</p>\n\nevent: done\ndata: end\n\n'


class Site(BaseHTTPRequestHandler):
    env: ClassVar = looks.environment()

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", looks.CSP)
        self.end_headers()
        self.wfile.write(data)

    def page(self, source: str, **context: object) -> None:
        self.answer(self.env.from_string(source).render(page=looks.Page(), problems={}, **context))

    def do_GET(self) -> None:
        if self.path.startswith("/static/"):
            file = looks.STATIC / self.path.removeprefix("/static/")
            self.answer(file.read_bytes(), TYPES[file.suffix])
        elif self.path == "/gallery":
            template = self.env.get_template("shell/gallery.html")
            self.answer(template.render(page=looks.Page(), **gallery.contents()))
        elif self.path == "/order":
            self.page(FORM_PAGE)
        elif self.path in {"/live", "/gone"}:
            self.page(LIVE_PAGE, stream="/events" if self.path == "/live" else "/missing")
        elif self.path == "/tabs":
            self.page(TABS_PAGE, sections=SECTIONS)
        elif self.path == "/events":
            self.answer(STREAM, "text/event-stream")
        else:
            self.answer("<h1>Page not found</h1>", status=404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        problems = {"target_url": "Enter an address that we can reach"}
        if self.path == "/fault":
            self.answer("<h1>Sorry</h1>", status=500)
        else:
            self.answer(self.env.from_string(FORM).render(problems=problems), status=422)


class BusyServer(ThreadingHTTPServer):
    """Keeps as many waiting as a browser opens connections, and does not turn them away."""

    request_queue_size = 64


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = BusyServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        yield chromium
        await chromium.close()


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 360, "height": 780})
    yield await context.new_page()
    await context.close()


async def test_the_title_of_a_moment_tells_its_second(tab: Page, site: str):
    await tab.goto(f"{site}/gallery")
    moment = tab.locator("time[data-relative][title]").first
    told = datetime.fromisoformat(await moment.get_attribute("datetime") or "")
    assert await moment.get_attribute("title") == f"{told.day} {told:%b %Y, %H:%M:%S} UTC"


async def test_the_gallery_breaks_no_rule_of_the_content_policy(tab: Page, site: str):
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    await tab.goto(f"{site}/gallery")
    await tab.get_by_role("link", name="Skip to content").wait_for(state="attached")
    assert complaints == []


async def test_nothing_is_wider_than_a_small_phone(tab: Page, site: str):
    await tab.goto(f"{site}/gallery")
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_tabs_are_one_row_on_a_phone_with_the_chosen_one_in_sight(
    browser: Browser, site: str, *, has_scripts: bool
):
    async with await browser.new_context(
        viewport={"width": 360, "height": 780}, java_script_enabled=has_scripts
    ) as phone:
        page = await phone.new_page()
        await page.goto(f"{site}/tabs")
        row = await page.locator(".tabs").bounding_box()
        chosen = await page.locator(".tabs [aria-current]").bounding_box()
        assert row is not None
        assert chosen is not None
        assert row["height"] < 2 * chosen["height"]
        # Browsers scroll by whole pixels.
        assert row["x"] - 1 <= chosen["x"] <= row["x"] + row["width"] - chosen["width"] + 1
        assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_what_can_be_pressed_is_large_enough(tab: Page, site: str):
    await tab.goto(f"{site}/gallery")
    small = await tab.locator("button, summary, select, .button, input:not([type=hidden])").evaluate_all(
        """elements => elements.filter(e => e.checkVisibility() && !e.closest("label, .version"))
        .map(e => [e.getBoundingClientRect(), e.outerHTML.slice(0, 80)])
        .filter(([box]) => box.height < 24 || box.width < 24).map(([, html]) => html)"""
    )
    assert small == []


async def test_a_refused_form_is_replaced_and_its_summary_focused(tab: Page, site: str):
    await tab.goto(f"{site}/order")
    await tab.get_by_role("button", name="Continue").click()
    await tab.locator(".error-summary:focus").wait_for()
    assert await tab.title() == "Error: Details"
    await tab.get_by_role("link", name="Enter an address that we can reach").click()
    assert await tab.evaluate("document.activeElement.id") == "target_url"
    assert await tab.locator("form#order-form").count() == 1


async def test_a_fault_is_said_and_leaves_the_page_standing(tab: Page, site: str):
    await tab.goto(f"{site}/order")
    await tab.get_by_role("button", name="Break").click()
    await tab.locator("#notices").get_by_text("That did not go through").wait_for()
    assert await tab.locator("h1").inner_text() == "Details"


async def test_a_stream_replaces_its_region_and_the_title(tab: Page, site: str):
    await tab.goto(f"{site}/live")
    await tab.get_by_text("Now", exact=True).wait_for()
    assert await tab.title() == "45% · Order"
    assert await tab.locator("#order-status").count() == 1


@pytest.mark.parametrize("late", ["app.js", "htmx.js"])
async def test_a_stream_begins_however_late_a_script_arrives(tab: Page, site: str, late: str):
    async def hold(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    await tab.route(f"**/{late}", hold)
    await tab.goto(f"{site}/live")
    await tab.get_by_text("Now", exact=True).wait_for()
    await tab.goto(f"{site}/gone")
    await tab.get_by_text("Live updates have ended").wait_for()


async def test_a_refused_stream_keeps_the_region_and_says_so(tab: Page, site: str):
    await tab.goto(f"{site}/gone")
    await tab.get_by_text("Live updates have ended").wait_for()
    assert await tab.locator("#order-status").inner_text() == "At first"


async def test_a_dialog_opens_and_closes_by_keyboard(tab: Page, site: str):
    await tab.goto(f"{site}/gallery")
    await tab.locator("#dialog").get_by_role("link", name="Cancel the order").press("Enter")
    await tab.get_by_role("dialog", name="Cancel this order?").wait_for()
    await tab.keyboard.press("Escape")
    await tab.get_by_role("dialog").wait_for(state="hidden")
