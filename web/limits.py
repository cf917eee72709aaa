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
from litestar.handlers import BaseRouteHandler
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.base.errors import TooMany
from web.cookies import Connection
from web.visitor import stranger

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAILURE: Final = 2.0

WORDS: Final = "This was asked for too often from your network. Nothing was changed."
YOURS: Final = "This was asked for too often in your name. Nothing was changed."

#: KEYS[1]; ARGV: the spacing of requests and the burst's span in ms. Returns 0, or the ms to wait.
GCRA: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + ARGV[1]
local wait = full - now - ARGV[2]
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], full, 'PX', math.ceil(full - now))
return 0
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests at once, and as many again in each `span`."""

    count: int
    span: timedelta

    @property
    def spacing_ms(self) -> float:
        """What one request costs."""
        return self.span.total_seconds() * 1000 / self.count


class Limiter:
    """Counts. One round trip for each question, and none for two seconds after Redis failed to answer one."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(GCRA)
        self._quiet_until = 0.0

    async def take(self, name: str, key: str, rate: Rate, words: str = WORDS) -> None:
        """Count one request for `key` (an address, an id) under the limit `name`; raise `TooMany` above `rate`."""
        if time.monotonic() < self._quiet_until:
            return
        spacing = rate.spacing_ms
        try:
            wait: Any = await self._script(keys=[f"limit:{name}:{key}"], args=[spacing, spacing * rate.count])
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("limits.not_counted", limit=name, error=str(error))
            return
        if wait:
            raise TooMany(words, timedelta(milliseconds=int(wait)))


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
    """A guard after `scope`: `count` requests per `span` in the name of one person, by all their tokens together."""
    rate = Rate(count, span)

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        limiter: Limiter = connection.app.state.limiter
        person = stranger(connection).person
        assert person is not None, "the guard before lets only known people in"
        await limiter.take(name, str(person.id), rate, YOURS)

    return guard


def seconds(span: timedelta) -> int:
    """The span for a Retry-After header: whole seconds, never none."""
    return max(1, ceil(span.total_seconds()))
