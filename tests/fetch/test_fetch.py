"""Fetching what a stranger named: what is public is fetched, and nothing of ours is ever touched."""

import gzip
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore2
import httpx2
import pytest

from models.base.clock import now
from models.base.settings import Settings
from tasks.fetch import (
    MAX_BYTES,
    NotFetched,
    Page,
    Private,
    PublicOnly,
    fetch,
    is_public,
    open_client,
    post,
    retry_after,
)
from tasks.targets import problem_of

BOMB = gzip.compress(b"\0" * 200_000_000, 9)


class Site(BaseHTTPRequestHandler):
    """A site that does what its path says, and counts who came."""

    hits: list[str]

    def do_GET(self) -> None:
        self.hits.append(self.path)
        getattr(self, "page_" + self.path.strip("/").split("/")[0].replace("-", "_"), self.missing)()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page_fine(self) -> None:
        self.answer(200, b"<h1>Fine</h1>", content_type="text/html")

    def page_hop(self) -> None:
        self.answer(302, location="/fine")

    def page_loop(self) -> None:
        self.answer(302, location="/loop")

    def page_inwards(self) -> None:
        self.answer(302, location="http://169.254.169.254/latest/meta-data/")

    def page_file(self) -> None:
        self.answer(302, location="file:///etc/passwd")

    def page_bomb(self) -> None:
        self.answer(200, BOMB, content_encoding="gzip")

    def page_slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    def do_POST(self) -> None:
        time.sleep(5.2)
        self.answer(204)

    def page_gone(self) -> None:
        self.answer(410)

    def page_shy(self) -> None:
        self.answer(403)

    def missing(self) -> None:
        self.answer(404)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    Site.hits = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(site: ThreadingHTTPServer) -> str:
    return f"localhost:{site.server_port}"


async def get(host: str, path: str, **options: Any) -> Page:
    return await fetch(f"http://{host}{path}", (host,), **options)


async def test_a_page_is_fetched_through_a_redirect(host: str) -> None:
    page = await get(host, "/hop")
    assert (page.url, page.status, page.body) == (f"http://{host}/fine", 200, b"<h1>Fine</h1>")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1", "fe80::1%eth0"),
        *("192.88.99.1", "fec0::1", "3fff::1"),
    ],
)
def test_an_address_that_is_not_public_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("90", 90),
        ("999999999", 86_400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed Oct 21 07:28:00 2015", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
        ("Mon, 01 Jan 99999999999999999999999 00:00:00 GMT", None),
    ],
)
def test_how_long_to_wait_is_read_in_seconds_and_as_a_date(header: str, seconds: int | None) -> None:
    assert retry_after(header) == (None if seconds is None else timedelta(seconds=seconds))


def test_a_date_of_soon_is_waited_for() -> None:
    wait = retry_after(format_datetime(now() + timedelta(hours=1), usegmt=True))
    assert wait is not None
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "http://localhost./", "http://[::1]/", "http://0.0.0.0/"),
        *(
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f000001/",
            "http://127.1/",
            "http://[::ffff:127.0.0.1]/",
        ),
        *(
            "http://169.254.169.254/latest/",
            "http://10.1.2.3/",
            "http://user@127.0.0.1/",
            "https://127.0.0.1/",
        ),
        *(
            "http://\uff11\uff12\uff17.0.0.1/",
            "http://127\u30020\u30020\u30021/",
            "http://localhost:22/",
            "http://localhost:6379/",
        ),
        *(
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "ftp://127.0.0.1/",
            "http://",
            "nonsense",
            "http://[bad/",
        ),
    ],
)
async def test_nothing_of_ours_is_reached(url: str, host: str) -> None:
    with pytest.raises(NotFetched):
        await fetch(url, (host,))
    assert Site.hits == []


async def test_a_redirect_inwards_or_to_a_file_is_not_followed(host: str) -> None:
    with pytest.raises(Private):
        await get(host, "/inwards")
    with pytest.raises(NotFetched):
        await get(host, "/file")
    with pytest.raises(NotFetched, match="redirects more than"):
        await get(host, "/loop")
    assert len(Site.hits) <= 9


async def test_only_the_pair_that_was_allowed_is_allowed(host: str) -> None:
    port = int(host.rpartition(":")[2])
    with pytest.raises(Private):
        await fetch(f"http://127.0.0.1:{port}/fine", (host,))
    with pytest.raises(Private):
        await fetch(f"http://{host}/fine", ())


async def test_a_bomb_and_a_dripping_answer_are_cut_off(host: str) -> None:
    began = time.monotonic()
    page = await get(host, "/bomb")
    assert len(page.body) == MAX_BYTES
    with pytest.raises(NotFetched, match="did not answer within"):
        await get(host, "/slow", deadline=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.slow
async def test_who_is_told_of_something_may_think_longer_than_a_page(host: str) -> None:
    assert (await post(f"http://{host}/hook", b"{}", {}, (host,))).status == 204


async def test_the_guard_is_where_the_connections_are_made() -> None:
    """The client's pool is reached by a private name: if a release of the library moves it, this must fail."""
    async with open_client() as client:
        transport = client._transport
        assert isinstance(transport, httpx2.AsyncHTTPTransport)
        pool = transport._pool
        assert isinstance(pool, httpcore2.AsyncConnectionPool)
        assert isinstance(pool._network_backend, PublicOnly)


async def test_the_environment_s_proxy_is_not_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1/")
    assert (await get(host, "/fine")).status == 200


@pytest.mark.parametrize(
    ("path", "words"), [("/fine", None), ("/shy", None), ("/gone", "410"), ("/nowhere", "404")]
)
async def test_a_target_is_judged_by_its_answer(
    host: str, settings: Settings, path: str, words: str | None
) -> None:
    orders = settings.orders.model_copy(update={"allowed_private_targets": (host,)})
    problem = await problem_of(f"http://{host}{path}", settings.model_copy(update={"orders": orders}), ())
    assert (problem is None) if words is None else (problem is not None and words in problem)


async def test_in_production_no_private_target_is_allowed_whatever_the_settings_say(
    host: str, settings: Settings
) -> None:
    orders = settings.orders.model_copy(update={"allowed_private_targets": (host,)})
    app = settings.app.model_copy(update={"environment": "production"})
    live = settings.model_copy(update={"orders": orders, "app": app})
    assert await problem_of(f"http://{host}/fine", live, ()) is not None
    assert Site.hits == []
