"""Carries events to the webhook endpoints: signed, again and again until taken, for three days.

What is owed stands in the database, so a restart forgets nothing. Order is not promised, and an event may
come twice; both as with Stripe. Signature: https://docs.stripe.com/webhooks#verify-manually
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import asyncpg
import httpx2
import orjson

from infra.sandbox.ledger import DATABASE_AWAY, Ledger, Object

log = logging.getLogger("pay_sandbox")

RETRIES = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 5, 15, 60, 300))
"""The pause after each failed attempt; the last one goes on."""
GIVEN_UP_AFTER = timedelta(days=3)
ANSWER_WITHIN = 10.0
AT_ONCE = 8
"""Attempts under way to one endpoint, so that a slow one holds up neither the others nor the sandbox."""
REDIRECT_WAITS = 5.0
"""The longest that a paying customer waits for the endpoints' first answer before the redirect."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    urls: tuple[str, ...]
    secret: str


def signature(payload: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header for a payload sent at this Unix time (real, not sandbox, time)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Courier:
    def __init__(self, ledger: Ledger) -> None:
        self.endpoints = Endpoints((), "")
        self._ledger = ledger
        self._bell = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Something was written that may be owed now."""
        self._bell.set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(timeout=ANSWER_WITHIN, trust_env=False) as client:
            loop = asyncio.create_task(self._run(client))
            try:
                yield
            finally:
                tasks = [loop, *self._under_way.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def first_answers(self, event_id: str, within: float = REDIRECT_WAITS) -> None:
        """Wait until each endpoint was asked once about this event, as Stripe's page does before it redirects.

        What is delayed or dropped on order is not waited for.
        """
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            is_waiting = await self._ledger.pool.fetchval(
                "SELECT EXISTS (SELECT FROM delivery WHERE event_id = $1 AND state = 'waiting' AND attempts = 0"
                " AND endpoint < $2 AND next_attempt_at <= $3)",
                event_id,
                len(self.endpoints.urls),
                self._ledger.clock.now(),
            )
            if not is_waiting:
                return
            await asyncio.sleep(0.05)

    async def forget(self) -> None:
        """Let go of everything under way, before a reset."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _run(self, client: httpx2.AsyncClient) -> None:
        while True:
            self._bell.clear()
            try:
                for delivery in await self._due():
                    task = asyncio.create_task(self._deliver(client, delivery))
                    self._under_way[delivery["id"]] = task
                    task.add_done_callback(partial(self._done, delivery["id"]))
            except DATABASE_AWAY:
                log.exception("the courier cannot read what is owed")
                await asyncio.sleep(1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), timeout=0.25)

    def _done(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._under_way[number]
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("delivery %s could not be written down", number, exc_info=fault)
        self.wake()

    async def _due(self) -> list[asyncpg.Record]:
        """What is owed now, oldest first, no more than `AT_ONCE` to an endpoint."""
        return await self._ledger.pool.fetch(
            "SELECT * FROM ("
            "  SELECT *, row_number() OVER (PARTITION BY endpoint ORDER BY id <> ALL ($3), next_attempt_at, id) AS place"
            "  FROM delivery WHERE state = 'waiting' AND endpoint < $1 AND next_attempt_at <= $2"
            ") AS owed WHERE place <= $4 AND id <> ALL ($3) ORDER BY place",
            len(self.endpoints.urls),
            self._ledger.clock.now(),
            list(self._under_way),
            AT_ONCE,
        )

    async def _deliver(self, client: httpx2.AsyncClient, delivery: asyncpg.Record) -> None:
        event: Object | None = await self._ledger.pool.fetchval(
            "SELECT body FROM object WHERE id = $1", delivery["event_id"]
        )
        if event is None:  # a reset came between what was owed and this
            return
        payload = orjson.dumps(event, option=orjson.OPT_INDENT_2)
        is_taken, answer = await self._post(client, self.endpoints.urls[delivery["endpoint"]], payload)
        now = self._ledger.clock.now()
        pause = RETRIES[min(delivery["attempts"], len(RETRIES) - 1)]
        is_hopeless = now + pause > delivery["created_at"] + GIVEN_UP_AFTER
        await self._ledger.pool.execute(
            "UPDATE delivery SET state = $2, attempts = attempts + 1, next_attempt_at = $3, answer = $4 WHERE id = $1",
            delivery["id"],
            "delivered" if is_taken else "given_up" if is_hopeless else "waiting",
            now + pause,
            answer,
        )

    async def _post(self, client: httpx2.AsyncClient, url: str, payload: bytes) -> tuple[bool, str]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "pay-sandbox/1",
            "Stripe-Signature": signature(payload, self.endpoints.secret, int(time.time())),
        }
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                response = await client.post(url, content=payload, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            return False, type(error).__name__
        return response.is_success, str(response.status_code)
