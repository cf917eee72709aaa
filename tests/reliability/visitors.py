"""Visitors at a fixed rate, who notice every request that goes wrong."""

import asyncio
import hmac
import itertools
import time

import httpx2
import orjson

PUBLIC_URL = "http://localhost"
WEBHOOK_SECRET = "whsec_of_the_suite"
PAGES = ("/", "/sign-in", "/?q=coffee", "/dev/mail")
STREAM = "/dev/mail/live"


class Visitors:
    """Pages, events from Stripe, pages that change by themselves: and what came of every request."""

    def __init__(self, balancer: httpx2.AsyncBaseTransport) -> None:
        self._client = httpx2.AsyncClient(base_url=PUBLIC_URL, transport=balancer, timeout=30)
        self.requests = 0
        #: Those that were never answered, or only in part, or with an error.
        self.failed: list[str] = []
        #: Events that the product said it has.
        self.taken: set[str] = set()

    async def come(self, rate: float, streams: int, until: asyncio.Event) -> None:
        """Send so many requests a second, whether the last one is answered or not, and wait for every answer."""
        watching = [asyncio.create_task(self._watch()) for _ in range(streams)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            for number in itertools.count():
                if until.is_set():
                    break
                page = PAGES[number % len(PAGES)]
                requests.create_task(
                    self._send("GET", page) if number % 5 else self._tell(f"evt_{number // 10}")
                )
                await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
        for one in watching:
            one.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await self._client.aclose()

    async def _tell(self, event: str) -> None:
        """As Stripe does it, which delivers every now and then twice: here always."""
        about = {"object": {"id": f"cs_{event}"}}
        facts = {
            "id": event,
            "object": "event",
            "type": "checkout.session.completed",
            "livemode": False,
            "data": about,
        }
        body, at = orjson.dumps(facts), int(time.time())
        digest = hmac.digest(WEBHOOK_SECRET.encode(), b"%d.%b" % (at, body), "sha256").hex()
        if await self._send("POST", "/webhooks/stripe", body, f"t={at},v1={digest}"):
            self.taken.add(event)

    async def _send(self, method: str, path: str, body: bytes | None = None, signature: str = "") -> bool:
        """Whether the answer was good."""
        headers = {"Stripe-Signature": signature}
        self.requests += 1
        try:
            async with self._client.stream(method, path, content=body, headers=headers) as answer:
                await answer.aread()
        except httpx2.TransportError as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return False
        if answer.is_error:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[-500:]}")
        return answer.is_success

    async def _watch(self) -> None:
        """Keep a page up to date: when its stream ends, open it again, as browsers do."""
        while True:
            await self._send("GET", STREAM)
            await asyncio.sleep(0.1)
