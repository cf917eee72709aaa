"""The headers that protect a page stand on every answer: every route is asked, by a stranger and by an admin, and so is
what no route answers.
"""

import re
from collections.abc import Iterator

import httpx2
import pytest
from redis.asyncio import Redis

from infra.local.embedded import EmbeddedRedis
from models.accounts.states import Role
from models.base.db import Database
from tests.web.site import Site, lasting_site, settings_for

pytestmark = pytest.mark.slow

#: On every answer, whatever it is.
ALWAYS = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
}
#: A page loads and runs what comes from here, and sends forms to us and to the page on which people pay.
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self' https://checkout.stripe.com; base-uri 'none'; frame-ancestors 'none'"
)
#: A letter in a frame of one's own machine runs nothing and can be framed by us alone.
LETTER = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: http: https:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation"
)
#: `same-origin`: the next page of ours learns where one came from, and nobody else.
REFERRERS = {"no-referrer", "same-origin", "strict-origin-when-cross-origin"}
VALUES = {"uuid": "00000000-0000-7000-8000-000000000000", "int": "1", "str": "nothing", "path": "no/thing"}


@pytest.fixture
async def everything(
    database: Database, database_url: str, redis_server: EmbeddedRedis, redis: Redis
) -> Site:
    """The application with all its parts, those of one's own machine too."""
    return await lasting_site(settings_for(database_url, redis_server.url), database, redis)


def addresses(site: Site) -> Iterator[tuple[str, str]]:
    """Each method and address that is answered. GET is asked as HEAD, so that a stream ends."""
    for route in site.app.routes:
        path = re.sub(r"{\w+:(\w+)}", lambda found: VALUES[found[1]], route.path)
        for method in route.methods:
            yield "HEAD" if method == "GET" else method, path


def missing(answer: httpx2.Response, path: str) -> list[str]:
    """What is wrong with the headers of an answer: nothing."""
    headers = answer.headers
    wrong = [name for name, value in ALWAYS.items() if headers.get(name) != value]
    policy = headers.get("content-security-policy", "")
    if policy != PAGE and not (path.startswith("/dev/") and policy in {f"{PAGE}; frame-src 'self'", LETTER}):
        wrong.append(f"content-security-policy {policy}")
    if headers.get("referrer-policy") not in REFERRERS:
        wrong.append("referrer-policy")
    if answer.status_code >= 400 and headers.get("cache-control") != "no-store":
        wrong.append(f"cache-control {headers.get('cache-control')}")
    kind = headers.get("content-type", "")
    if kind.startswith("text/") and "charset=utf-8" not in kind:
        wrong.append(f"content-type {kind}")
    if "x-request-id" not in headers or "server" in headers:
        wrong.append("names")
    cookies = headers.get_list("set-cookie")
    return wrong + [
        one for one in cookies if not re.match("__Host-.*; HttpOnly;.* SameSite=lax; Secure", one)
    ]


@pytest.mark.parametrize("is_admin", [False, True])
async def test_every_answer_of_every_route_has_its_headers(everything: Site, *, is_admin: bool):
    seen: set[int] = set()
    found = {}
    async with everything.browser() as browser:
        if is_admin:
            await everything.sign_in(browser, "boss@example.com", Role.ADMIN)
        for method, path in addresses(everything):
            answer = await browser.client.request(method, path)
            seen.add(answer.status_code)
            if wrong := missing(answer, path):
                found[f"{method} {path} {answer.status_code}"] = wrong
    assert found == {}
    assert {200, 204, 303, 403, 404} <= seen


async def test_so_has_what_no_route_answers(everything: Site):
    async with everything.browser() as browser:
        for method, path, status, content in (
            ("GET", "/favicon.ico", 200, b""),
            ("DELETE", "/sign-in", 405, b""),
            ("GET", "/no/such/page", 404, b""),
            ("GET", "/api/v1/nothing", 404, b""),
            # Told on a port of its own (METRICS_PORT), never on this one.
            ("GET", "/metrics", 404, b""),
            ("GET", "/static/../etc/passwd", 404, b""),
            ("GET", "/orders?cursor=%00", 303, b""),
            ("POST", "/webhooks/stripe", 404, b"{}"),
            ("POST", "/webhooks/ses", 404, b"x" * 300_000),
        ):
            answer = await browser.client.request(method, path, content=content)
            assert (path, answer.status_code, missing(answer, path)) == (path, status, [])
