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
from tests.web.site import Site, lasting_site
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
#: What stands for ids and names in the address of a handler.
VARIES = re.compile(r"\{[^}]*\}")
#: A sentence that ends twice.
ENDS_TWICE = re.compile(r"\w\.\.(?!\.)")


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


def kind_of(site: Site, method: str, address: str) -> str:
    """The address of the handler behind this one: ids and names differ, the code does not."""
    *_, template = site.app.asgi_router.handle_routing(path=urlsplit(address).path, method=method.upper())
    return template


def asked_of(site: Site, page: str) -> set[str]:
    """The words in the address of a page that its handler reads: to the others it is deaf, whatever they say."""
    _, handler, *_ = site.app.asgi_router.handle_routing(path=page, method="GET")
    names = handler.parsed_fn_signature.parameters.keys()
    return set(WORDS) if "request" in names else names & set(WORDS)


async def crawl(site: Site, browser: Browser) -> tuple[dict[str, str], dict[tuple[str, ...], Form]]:
    """A page of each kind that links lead to, and a form of each kind that stands on one."""
    waiting = list(DOORS)
    pages: dict[str, str] = {}
    forms: dict[tuple[str, ...], Form] = {}
    while waiting:
        address = waiting.pop()
        if address.startswith("/static") or (kind := kind_of(site, "GET", address)) in pages:
            continue
        pages[kind] = urlsplit(address).path
        screen = await browser.open(address)
        for form in screen.forms:
            if not ENDS.search(form.action):
                forms.setdefault((kind_of(site, form.method, form.action), *sorted(form.names)), form)
        waiting += re.findall(r'href="(/[^"#?]*)', screen.html)
    return pages, forms


async def test_no_form_and_no_address_breaks(desk: Desk):
    await desk.written()
    broken: dict[str, str] = {}
    async with await desk.browser(desk.admin) as browser:
        pages, forms = await crawl(desk.site, browser)
        assert len(pages) > 40
        assert len(forms) > 30
        for junk in JUNK:
            for (kind, *_), form in forms.items():
                kept = {"_csrf_token": form.fields.get("_csrf_token", "")}
                fields = form.fields | dict.fromkeys(form.names, junk) | kept
                answer = await browser.send(form.action, form.method, fields, follow=False)
                if answer.status >= 500 or ENDS_TWICE.search(answer.text):
                    broken[kind] = junk[:40]
            said = quote(junk)
            for kind, page in pages.items():
                query = "&".join(f"{word}={said}" for word in sorted(asked_of(desk.site, page)))
                asked = [f"{page}?{query}"] if query else []
                for address in (*asked, f"{page}/{said}", *([VARIES.sub(said, kind)] if "{" in kind else [])):
                    seen = await browser.client.head(address)
                    if seen.status_code >= 500:
                        broken[kind] = address[:100]
        lists = {kind: page for kind, page in pages.items() if "cursor" in asked_of(desk.site, page)}
        assert len(lists) > 15
        for cursor in CURSORS:
            for kind, page in lists.items():
                seen = await browser.client.head(f"{page}?sort=longest&cursor={cursor}")
                if seen.status_code >= 500:
                    broken[kind] = cursor
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
