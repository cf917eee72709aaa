"""Junk, everywhere: nothing that an admin's browser can send to any form or address brings a fault to light."""

import base64
import re
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import pytest

from infra.local.visitor import Browser, Form
from models.accounts.states import Role, Scope
from models.base.db import new_id
from models.base.paging import encode_cursor
from tests.jobs_api.programs import Bureau, fits
from tests.orders.desk import Desk, open_desk
from tests.web.site import lasting_site
from web.openapi import Operation
from web.reference import CHAPTERS

pytestmark = pytest.mark.slow

JUNK = ("\x00", "9" * 30, "https://[::1\u202e\u05e2 \U0001f600")
#: Earlier than any moment in UTC.
EARLY = "0001-01-01T00:00:00+14:00"
#: As ours are made, of what ours are never made of.
CURSORS = (
    *(encode_cursor(*[value] * size) for value in (5, EARLY) for size in (1, 2, 3)),
    encode_cursor(0, EARLY, "x"),
    encode_cursor(2**40, "2026-01-01T00:00:00+00:00", "x"),
    *(encode_cursor("2026-01-01T00:00:00+00:00", None, number, new_id()) for number in (2**62, 1e300)),
    base64.urlsafe_b64encode(b"[" + b"9" * 40 + b"]").decode(),
)
#: What JSON can say, and what only looks like it.
VALUES = (
    b"null",
    b"[]",
    b"{}",
    b"9" * 30,
    b"1e400",
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff"',
    b"[" * 9_000,
    f'"{EARLY}"'.encode(),
)
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
        for cursor in CURSORS:
            for page in pages:
                seen = await browser.client.head(f"{page}?sort=longest&cursor={cursor}")
                if seen.status_code >= 500:
                    broken[kind_of(page)] = cursor
    assert broken == {}


def bodies(one: Operation) -> list[bytes]:
    """Whole bodies of junk, and each example with junk in the place of one of its values."""
    found = list(VALUES)
    for sent in one.sent.values():
        text = orjson.dumps(sent)
        values = [*sent.values(), *(sent["data"].values() if "data" in sent else ())]
        found += [text.replace(orjson.dumps(value), junk, 1) for value in values for junk in VALUES]
    return found


async def test_no_query_and_no_body_breaks_the_interface_for_programs(world):
    bureau = Bureau(world, await lasting_site(world.settings, world.database, world.redis))
    program = await bureau.program("junk@example.com", Role.ADMIN, tuple(Scope))
    for chapter in CHAPTERS:
        for one in chapter.operations:
            path = one.path.format(**chapter.ids)
            asked: list[dict[str, Any]] = [
                {"params": {name: junk}} for name in one.query for junk in (*JUNK, "-1", *CURSORS)
            ]
            if one.body is not None:
                asked += [{"content": body} for body in bodies(one)]
            for sent in asked:
                await world.redis.delete(
                    *(f"limit:jobs-{name}:{program.person.id}" for name in ("read", "write"))
                )
                headers = {"Content-Type": "application/json"}
                fits(
                    await program.client.request(one.method, path, headers=headers, **sent), one.method, path
                )
