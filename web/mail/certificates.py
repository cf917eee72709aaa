"""The certificates that SNS signs with: fetched from Amazon, and kept, because every message names one."""

import asyncio
from datetime import timedelta
from typing import Final

import httpx2
from cryptography import x509

from models.base.clock import now
from models.base.errors import Temporary
from models.mail.sns import Forged, read_certificate

#: SNS waits fifteen seconds for an answer to its message.
PATIENCE_SECONDS: Final = 5.0
#: Real ones have two thousand.
MOST_BYTES: Final = 16 * 1024
#: There is one for each region, replaced about once a year.
MOST_KEPT: Final = 16
KEPT_FOR: Final = timedelta(days=1)


class Certificates:
    """Certificates by address. The caller has checked the address: whatever is there is believed."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, x509.Certificate]] = {}
        self._turn = asyncio.Lock()

    async def get(self, url: str) -> x509.Certificate:
        """The certificate at this address. Raises `Forged` if there is none, `Temporary` if nobody answers."""
        async with self._turn:  # one at a time, so that a burst of messages asks once
            known = self._kept.get(url)
            if known is not None and known[0] > now().timestamp():
                return known[1]
            certificate = read_certificate(await _fetch(url))
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[url] = ((now() + KEPT_FOR).timestamp(), certificate)
            return certificate


async def _fetch(url: str) -> bytes:
    body = b""
    try:
        async with (
            httpx2.AsyncClient(timeout=PATIENCE_SECONDS, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.is_server_error:
                raise Temporary(f"{url} answered {answer.status_code}")
            if not answer.is_success:
                raise Forged(f"there is no certificate at {url}: {answer.status_code}")
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise Forged(f"what is at {url} is too large for a certificate")
    except httpx2.HTTPError as error:
        raise Temporary(f"no answer from {url}: {type(error).__name__}") from error
    return body
