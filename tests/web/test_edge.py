"""Every answer, whatever it is, carries the same protection, can be found again, and is no larger than it must be."""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from structlog.testing import capture_logs

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.base.db import Database
from tests.web.conftest import with_probe_templates
from tests.web.probes import PROBES
from tests.web.site import Site, settings_for, site

EVERYWHERE = [
    ("get", "/notes"),
    ("get", "/dev/gallery"),
    ("get", "/dev/mail"),
    ("get", "/nowhere"),
    ("get", "/refused/forbidden"),
    ("get", "/members"),
    ("get", "/favicon.ico"),
    ("get", "/static/000000000000/app.css"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/api/refused/conflict"),
    ("post", "/notes"),
    ("post", "/notes/then-fail"),
    ("delete", "/notes"),
    ("head", "/notes"),
    ("head", "/notes/live"),
    ("options", "/notes"),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_every_answer_is_protected(browser: Browser, method: str, path: str):
    answer = await browser.client.request(method, path)

    headers = answer.headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["strict-transport-security"].startswith("max-age=63072000")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"]
    assert headers["x-request-id"]


async def test_forms_may_lead_to_the_payment_page_and_nowhere_else(browser: Browser):
    answer = await browser.open("/notes")

    policy = answer.response.headers["content-security-policy"]
    assert "form-action 'self' https://checkout.stripe.com;" in policy


async def test_a_route_may_keep_its_readers_address_to_itself(browser: Browser):
    answer = await browser.open("/letter")

    assert answer.response.headers["referrer-policy"] == "no-referrer"


async def test_plain_http_promises_no_https(
    database: Database, database_url: str, redis_server: EmbeddedRedis
):
    settings = settings_for(database_url, redis_server.url, public_url="http://localhost:8000")
    async with site(settings) as one, one.browser() as visitor:
        answer = await visitor.open("/dev/gallery")

    assert "strict-transport-security" not in answer.response.headers


async def test_the_name_of_a_request_is_kept_if_it_can_be_a_name(browser: Browser):
    named = await browser.client.get("/letter", headers={"X-Request-ID": "trace-0123456789"})
    forged = await browser.client.get("/letter", headers={"X-Request-ID": "x y<script>"})
    traced = await browser.client.get(
        "/letter", headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    )

    assert named.headers["x-request-id"] == "trace-0123456789"
    assert traced.headers["x-request-id"] == "0af7651916cd43dd8448eb211c80319c"
    assert re.fullmatch(r"[0-9a-f]{16}", forged.headers["x-request-id"])


async def test_one_line_tells_of_a_request_and_no_more_than_it_may(browser: Browser):
    thing = "00000000-0000-7000-8000-000000000000"
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = await browser.client.get(
            f"/things/{thing}?size=3", headers={"X-Request-ID": "trace-0123456789"}
        )

    (line,) = [line for line in lines if line["event"] == "web.answered"]
    assert answer.text == f"{thing} 3"
    assert line["route"] == "/things/{thing_id}"
    assert (line["method"], line["status"], line["correlation_id"]) == ("GET", 200, "trace-0123456789")
    assert line["ms"] >= 0
    assert thing not in str(lines)


async def test_head_is_get_without_a_body(browser: Browser):
    got = await browser.client.get("/notes")
    headed = await browser.client.head("/notes")

    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-type"] == got.headers["content-type"]
    assert int(headed.headers["content-length"]) > 0


async def test_a_connection_outlives_head(served_site: Site):
    # The server counts what it sends; a body that it misses is a fault, and ends the connection.
    host = urlsplit(served_site.base_url).netloc
    reader, writer = await asyncio.open_connection(*host.split(":"))
    for ask in ("HEAD /notes", "GET /notes"):
        writer.write(f"{ask} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200"), ask
    writer.close()


async def test_head_of_a_stream_ends(browser: Browser):
    answer = await browser.client.head("/notes/live")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_another_method_is_told_which_ones_there_are(browser: Browser):
    for method in ("DELETE", "TRACE"):
        answer = await browser.client.request(method, "/members")

        assert answer.status_code == 405
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/things/7", "/things/not-a-uuid", "/things/..%2f..%2fetc", "/dev/mail/1"])
async def test_an_id_that_cannot_be_one_is_a_page_that_is_not_there(browser: Browser, path: str):
    answer = await browser.open(path)

    assert (answer.status, answer.heading) == (404, "Page not found")


async def test_a_number_that_is_none_is_a_bad_address(browser: Browser):
    answer = await browser.open("/things/00000000-0000-7000-8000-000000000000?size=large")

    assert (answer.status, answer.heading) == (400, "We could not read that")


async def test_text_is_sent_small_to_who_can_read_it_small(browser: Browser):
    small = await browser.client.get("/letter", headers={"Accept-Encoding": "gzip"})
    plain = await browser.client.get("/letter", headers={"Accept-Encoding": "identity"})

    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < 200
    assert "content-encoding" not in plain.headers
    assert small.text == plain.text
    assert "Accept-Encoding" in small.headers["vary"]
    assert "Accept-Encoding" in plain.headers["vary"]


async def test_the_host_header_decides_nothing(browser: Browser):
    answer = await browser.client.get("/members", headers={"Host": "evil.example"})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in"
    assert "evil.example" not in str(answer.headers)


async def test_development_pages_are_not_there_in_production(
    database: Database, database_url: str, redis_server: EmbeddedRedis
):
    settings = settings_for(database_url, redis_server.url, environment="production")
    async with site(settings, PROBES) as one, with_probe_templates(one).browser() as visitor:
        statuses = [
            (await visitor.open(path)).status for path in ("/notes", "/dev/mail", "/dev/gallery", "/dev")
        ]

    assert statuses == [200, 404, 404, 404]


async def test_what_is_larger_than_a_form_is_not_read(probed: Site, browser: Browser):
    large = await browser.send("/notes", "post", {"words": "x" * 70_000})
    small = await browser.send("/small", "post", {"words": "x" * 200})
    fits = await browser.send("/small", "post", {"words": "x" * 20})

    assert (large.status, small.status, fits.status) == (413, 413, 201)
    assert small.heading == "That is too large"


async def test_what_is_not_a_form_is_not_read_as_one(browser: Browser):
    answer: Any = await browser.client.post("/small", json={"words": "x"}, headers={"Accept": "text/html"})

    assert answer.status_code == 415
