"""How the `stripe` library reaches Stripe: by the HTTP client that the rest of the product uses.

Imports the library, which takes a second: only `models.payments.stripe` loads this, and not before it is needed.
The library's own client for httpx passes bodies in a way that httpx has deprecated, and brings a second client.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Final

import httpx2
import stripe

# It neither reports on us nor logs the path of every call.
stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)

#: Reading the certificates takes longer than most calls, so that is done once.
_TLS: Final = httpx2.create_ssl_context()


class Transport(stripe.HTTPClient):
    """One connection pool, closed with `close_async`. Offers no blocking calls, so that none can happen."""

    name = "httpx2"

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._http = httpx2.AsyncClient(timeout=timeout, verify=_TLS)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Ask once. What never reached Stripe, or never came back, may be tried again by the library."""
        try:
            answer = await self._http.request(method, url, headers=dict(headers), content=post_data)
        except httpx2.HTTPError as error:
            words = f"{type(error).__name__} while talking to Stripe"
            raise stripe.APIConnectionError(words, should_retry=True) from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        """Wait between two tries."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Give the connections back."""
        await self._http.aclose()
