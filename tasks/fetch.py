"""Fetching what a stranger named, without letting them reach into our network.

One choke point: every connection, of the first request and of each redirect, is made by `PublicOnly`. It
resolves a name once, refuses if any of the answers is not a public address, and connects to the answer that it
looked at, so that a name cannot change its mind between the look and the connection.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore2
import httpx2

from models.base.clock import now

MAX_REDIRECTS: Final = 5
MAX_BYTES: Final = 2_000_000
DEADLINE: Final = 10.0
#: For a page, how long nothing may happen.
PATIENCE: Final = 5.0
PORTS: Final = frozenset({80, 443})
AGENT: Final = "GalleyBot/1.0 (link check)"
SENDER: Final = "Galley-Webhooks/1.0"
#: Bytes of an answer that are read after something was sent.
MAX_ANSWER: Final = 4096
#: Whoever asks us to come back later than this is asked sooner.
LONGEST_WAIT: Final = timedelta(days=1)

#: What `is_global` lets through and we do not: NAT64, 6to4 and its relays, and Teredo carry an IPv4 address inside;
#: site-local addresses were private once (RFC 3879), and the newer documentation prefix is nobody's (RFC 9637).
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(net)
    for net in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "192.88.99.0/24",
        "fec0::/10",
        "3fff::/20",
    )
)


class NotFetched(Exception):
    """It could not be fetched; the message says why, fit for the person who named the address."""


class Private(NotFetched):
    """The address leads into a network that is not public."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was answered: the address after redirects, the status, and the body up to the limit.

    `robots` is what the header X-Robots-Tag says, if it says anything.
    """

    url: str
    status: int
    body: bytes
    content_type: str
    robots: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to something that we sent: the beginning of it, and when to come back if it said so."""

    status: int
    body: bytes
    retry_after: timedelta | None


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody on the internet means by it."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if any(ip in net for net in _NOT_PUBLIC):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class PublicOnly(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses on web ports only, and to the host:port pairs that were allowed by name."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look the name up, judge every answer, and connect to one of those judged."""
        is_allowed = f"{host}:{port}" in self._allowed
        if port not in PORTS and not is_allowed:
            raise Private("Only the ports 80 and 443 are visited.")
        addresses = await _resolve(host, port)
        if not is_allowed and not all(is_public(address) for address in addresses):
            raise Private("The address leads into a private network.")
        failure: Exception | None = None
        for address in addresses[:4]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or NotFetched("Nothing answers at this address.")

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        """Refuse."""
        raise Private("The address leads into a private network.")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NotFetched("There is no such domain.") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@asynccontextmanager
async def open_client(
    allowed: Collection[str] = (), patience: float = PATIENCE
) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client that only reaches what is public, and waits `patience` seconds for each thing to happen.

    The environment's proxies are ignored: they would connect for us.
    """
    transport = httpx2.AsyncHTTPTransport(trust_env=False)
    await transport._pool.aclose()  # noqa: SLF001 - the transport has no other door for a network backend; a test guards it
    transport._pool = httpcore2.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=httpx2.create_ssl_context(trust_env=False),
        network_backend=PublicOnly(allowed),
        max_connections=10,
    )
    headers = {
        "user-agent": AGENT,
        "accept": "text/html,application/xhtml+xml,*/*;q=0.5",
        "accept-encoding": "gzip, deflate",
    }
    async with httpx2.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=patience, headers=headers
    ) as client:
        yield client


async def fetch(url: str, allowed: Collection[str] = (), deadline: float = DEADLINE) -> Page:
    """Get a page, following up to five redirects, within a deadline and a size. Raises `NotFetched` with the reason."""
    async with _explained(deadline), open_client(allowed) as client:
        return await _follow(client, url)


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Collection[str] = (),
    deadline: float = DEADLINE,
) -> Answer:
    """Send JSON there and nowhere else: redirects are answers. Raises `NotFetched` with the reason."""
    sent = {"content-type": "application/json", "accept": "*/*", "user-agent": SENDER, **headers}
    async with (
        _explained(deadline),
        # Who is told of something may think about it for as long as the deadline says.
        open_client(allowed, patience=deadline) as client,
        client.stream("POST", url, content=body, headers=sent) as answer,
    ):
        start = b""
        async for chunk in answer.aiter_bytes(MAX_ANSWER):
            start += chunk
            if len(start) >= MAX_ANSWER:
                break
        wait = retry_after(answer.headers.get("retry-after", ""))
        return Answer(answer.status_code, start[:MAX_ANSWER], wait)


def retry_after(header: str) -> timedelta | None:
    """How long somebody asks us to wait, in seconds or until a date (RFC 9110, 10.2.3), `LONGEST_WAIT` at most; None if
    they do not say.
    """
    if re.fullmatch("[0-9]{1,9}", header):
        wait = timedelta(seconds=int(header))
    else:
        try:
            until = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        # A date that names no zone is in GMT, as all of them have to be.
        wait = until.replace(tzinfo=until.tzinfo or UTC) - now()
    return min(max(wait, timedelta()), LONGEST_WAIT)


@asynccontextmanager
async def _explained(deadline: float) -> AsyncIterator[None]:
    """Whatever fails within, within the deadline or because of it, is told as `NotFetched`."""
    try:
        async with asyncio.timeout(deadline):
            yield
    except TimeoutError as error:
        raise NotFetched(f"The site did not answer within {deadline:.0f} seconds.") from error
    except (httpx2.InvalidURL, ValueError) as error:
        raise NotFetched("This is not a web address.") from error
    except (httpx2.HTTPError, httpcore2.ProtocolError, OSError) as error:
        raise NotFetched(_words(error)) from error


async def _follow(client: httpx2.AsyncClient, url: str) -> Page:
    for _ in range(MAX_REDIRECTS + 1):
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotFetched("The address leads to something that is not a web page.")
        client.cookies.clear()
        async with client.stream("GET", url) as answer:
            if answer.is_redirect and (there := answer.headers.get("location")):
                url = urljoin(url, there)
                continue
            body = b""
            async for chunk in answer.aiter_bytes(65_536):
                body += chunk
                if len(body) >= MAX_BYTES:
                    body = body[:MAX_BYTES]
                    break
            headers = answer.headers
            robots = headers.get("x-robots-tag", "")
            return Page(url, answer.status_code, body, headers.get("content-type", ""), robots)
    raise NotFetched(f"The site redirects more than {MAX_REDIRECTS} times.")


def _words(error: Exception) -> str:
    if isinstance(error, httpx2.ConnectError) and "certificate" in str(error).lower():
        return "The site's certificate is not valid."
    if isinstance(error, httpx2.TimeoutException):
        return "The site did not answer in time."
    return "The site could not be reached."
