"""How often something may be asked for, counted in Redis for all processes together.

GCRA (ITU-T I.371): one number per key, the moment at which the bucket would be full again. A limit protects from
haste, not from wrong: when Redis is away, requests pass, and what must never be exceeded is counted in PostgreSQL.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.base.errors import TooMany
from web.cookies import Connection
from web.visitor import stranger

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAILURE: Final = 2.0

WORDS: Final = "This was asked for too often from your network. Nothing was changed."
YOURS: Final = "This was asked for too often in your name. Nothing was changed."

#: KEYS[1]; ARGV: the spacing of requests and the burst's span in ms. Returns how many ms to wait, 0 if none, and how
#: many there are until the bucket is full.
GCRA: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full + ARGV[1] - now - ARGV[2]
if wait > 0 then return {math.ceil(wait), math.floor(full - now)} end
full = full + ARGV[1]
redis.call('SET', KEYS[1], full, 'PX', math.ceil(full - now))
return {0, math.floor(full - now)}
"""
#: Where a request keeps how it stands, for the headers of its answer.
_STANDING: Final = "standing"


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests at once, and as many again in each `span`."""

    count: int
    span: timedelta

    @property
    def spacing_ms(self) -> float:
        """What one request costs."""
        return self.span.total_seconds() * 1000 / self.count


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands under a limit after a request, which was refused if there is something to `wait`."""

    limit: int
    left: int
    wait: timedelta
    full_after: timedelta

    def refuse(self, words: str) -> None:
        """Raise `TooMany` if the request was one too many."""
        if self.wait:
            raise TooMany(words, self.wait)


class Limiter:
    """Counts. One round trip for each question, and none for two seconds after Redis failed to answer one."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(GCRA)
        self._quiet_until = 0.0

    async def take(self, name: str, key: str, rate: Rate, words: str = WORDS) -> None:
        """Count one request for `key` (an address, an id) under the limit `name`; raise `TooMany` above `rate`."""
        standing = await self.count(name, key, rate)
        if standing is not None:
            standing.refuse(words)

    async def count(self, name: str, key: str, rate: Rate) -> Standing | None:
        """Count one request, unless it is one too many; returns how the key stands, or None where nobody counts."""
        if time.monotonic() < self._quiet_until:
            return None
        spacing = rate.spacing_ms
        burst = spacing * rate.count
        try:
            told: Any = await self._script(keys=[f"limit:{name}:{key}"], args=[spacing, burst])
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("limits.not_counted", limit=name, error=str(error))
            return None
        wait, full = told
        left = 0 if wait else int((burst - full) / spacing)
        return Standing(rate.count, left, timedelta(milliseconds=wait), timedelta(milliseconds=full))


def limited(
    name: str, count: int, span: timedelta
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A guard: `count` requests per `span` from one network."""
    rate = Rate(count, span)

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        limiter: Limiter = connection.app.state.limiter
        await limiter.take(name, stranger(connection).network, rate)

    return guard


def limited_person(
    name: str, count: int, span: timedelta
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A guard after `scope`: `count` requests per `span` in the name of one person, by all their tokens together.

    The answer tells how that person stands: see `tell_standing`.
    """
    rate = Rate(count, span)

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        limiter: Limiter = connection.app.state.limiter
        person = stranger(connection).person
        assert person is not None, "the guard before lets only known people in"
        standing = await limiter.count(name, str(person.id), rate)
        if standing is not None:
            connection.scope["state"][_STANDING] = standing
            standing.refuse(YOURS)

    return guard


async def tell_standing(message: Message, scope: Scope) -> None:
    """Let the answer to a request that was counted say how its person stands, whatever the answer is.

    Three numbers, as draft-ietf-httpapi-ratelimit-headers named them until its seventh edition, and as clients know them.
    """
    standing: Standing | None = scope["state"].get(_STANDING)
    if message["type"] == "http.response.start" and standing is not None:
        headers = MutableScopeHeaders.from_message(message)
        headers["RateLimit-Limit"] = str(standing.limit)
        headers["RateLimit-Remaining"] = str(standing.left)
        headers["RateLimit-Reset"] = str(seconds(standing.full_after))


def seconds(span: timedelta) -> int:
    """The span for a Retry-After header: whole seconds, never none."""
    return max(1, ceil(span.total_seconds()))
