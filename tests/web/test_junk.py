"""Junk, everywhere: nothing that an admin's browser can send to any form or address brings a fault to light."""

import re
from urllib.parse import quote, urlsplit

import pytest

from infra.local.visitor import Browser, Form
from tests.orders.desk import Desk, open_desk

pytestmark = pytest.mark.slow

JUNK = ("\x00", "9" * 30, "https://[::1\u202e\u05e2 \U0001f600")
#: Where links lead to everything from.
DOORS = ("/", "/account", "/orders", "/admin", "/admin/queues", "/dev/mail")
#: What is said in addresses.
WORDS = ("cursor", "q", "sort", "status", "state", "queue", "limit", "period", "from", "to")
#: Presses after which nobody is signed in.
ENDS = re.compile(r"/sign-out|/account/(deletion|sessions)")
#: Ids differ; the code behind a place of a kind does not.
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b\d+\b")


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


def kind_of(address: str) -> str:
    return ID.sub("*", urlsplit(address).path)


async def crawl(browser: Browser) -> tuple[list[str], list[Form]]:
    """A page of each kind that links lead to, and a form of each kind that stands on one."""
    waiting = list(DOORS)
    pages: dict[str, str] = {}
    forms: dict[tuple[str, ...], Form] = {}
    while waiting:
        address = waiting.pop()
        if kind_of(address) in pages or address.startswith("/static"):
            continue
        pages[kind_of(address)] = urlsplit(address).path
        screen = await browser.open(address)
        for form in screen.forms:
            forms.setdefault((kind_of(form.action), *sorted(form.names)), form)
        waiting += re.findall(r'href="(/[^"#?]*)', screen.html)
    return list(pages.values()), [form for form in forms.values() if not ENDS.search(form.action)]


async def test_no_form_and_no_address_breaks(desk: Desk):
    await desk.written()
    broken: dict[str, str] = {}
    async with await desk.browser(desk.admin) as browser:
        pages, forms = await crawl(browser)
        assert len(pages) > 40
        assert len(forms) > 30
        for junk in JUNK:
            for form in forms:
                kept = {"_csrf_token": form.fields.get("_csrf_token", "")}
                fields = form.fields | dict.fromkeys(form.names, junk) | kept
                answer = await browser.send(form.action, form.method, fields, follow=False)
                if answer.status >= 500:
                    broken[kind_of(form.action)] = junk[:40]
            said = quote(junk)
            for page in pages:
                query = "&".join(f"{word}={said}" for word in WORDS)
                for address in (f"{page}?{query}", f"{page}/{said}", said.join(ID.split(page))):
                    seen = await browser.client.head(address)
                    if seen.status_code >= 500:
                        broken[kind_of(page)] = address[:100]
    assert broken == {}
