"""Pages that change by themselves: one connection to Redis hears what changed, and every open stream that shows it
looks again into PostgreSQL.

What travels through Redis is only the name of what changed. A stream sends its whole fragment anew, so nothing that
is lost, doubled or late can leave a page wrong for longer than the re-check of fifteen seconds.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from litestar import Request
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus

from models.base.db import Database
from models.base.errors import Refusal
from models.base.news import CHANNEL
from web.seats import Seats
from web.visitor import Visitor, is_still_signed_in

log = structlog.get_logger(__name__)

#: How often a stream looks again although nobody told it to.
RECHECK: Final = 15.0
#: How long the connection may say nothing before it is asked, and then before it is given up.
SILENCE: Final = 5.0
BACKOFF: Final = (0.1, 5.0)
#: A stream sends at most one fragment in this time; what changes faster is sent as its last state.
PAUSE: Final = 0.25
#: Streams that look at once, so that a popular change leaves the pool's other connections to pages.
LOOKING_AT_ONCE: Final = 4
PING_SECONDS: Final = 15
SEND_TIMEOUT: Final = 30

# Streams end by `EventHub.drain`, cleanly. The library's own way cancels them, and its flag is never lowered again.
AppStatus.enable_automatic_graceful_drain = False


class EventHub:
    """Hears every change of the product through one connection, and wakes who waits for it in this process.

    `is_degraded` tells that nothing is heard at present; waiting goes on, by re-checks.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0), max_connections=2
        )
        self._marks: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._drained = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_degraded = False
        self.seats = Seats()
        self.looking = asyncio.Semaphore(LOOKING_AT_ONCE)

    @property
    def is_draining(self) -> bool:
        """Whether the process is about to end: streams end, and nothing new should be sent here."""
        return self._drained.is_set()

    @property
    def waiting(self) -> int:
        """How many waits there are: one per stream and topic."""
        return sum(map(len, self._marks.values()))

    async def start(self) -> None:
        """Begin to hear. Returns at once; a Redis that is away is awaited in the background."""
        self._task = asyncio.create_task(self._listen(), name="event hub")

    def drain(self) -> None:
        """Let every stream end after what it is sending."""
        self._drained.set()
        self._wake_everybody()

    async def stop(self) -> None:
        """Drain and give the connection back."""
        self.drain()
        while self._task is not None and not self._task.done():
            # More than once: redis-py 8 takes a cancellation that meets the end of one of its own timeouts for that.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.1)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def changes(self, *topics: str, every: float = RECHECK) -> AsyncGenerator[None, None]:
        """Yield once at the start, then whenever one of `topics` changed, and `every` so many seconds besides.

        Changes that happen while the caller is busy are told as one. Ends when the process drains.
        """
        mark = asyncio.Event()
        mark.set()
        for topic in topics:
            self._marks[topic].add(mark)
        try:
            while not self.is_draining:
                with suppress(TimeoutError):
                    async with asyncio.timeout(every):
                        await mark.wait()
                if self.is_draining:
                    return
                mark.clear()
                yield
        finally:
            for topic in topics:
                self._marks[topic].discard(mark)
                if not self._marks[topic]:
                    del self._marks[topic]

    def _wake_everybody(self) -> None:
        for marks in list(self._marks.values()):
            for mark in marks:
                mark.set()

    async def _listen(self) -> None:
        delay, longest = BACKOFF
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    async for message in _messages(subscription):
                        if message["type"] == "subscribe":
                            # What was said while we did not listen is looked for now.
                            self.is_degraded, delay = False, BACKOFF[0]
                            self._wake_everybody()
                        elif message["type"] == "message":
                            self._heard(message["data"])
            except (RedisError, OSError, TimeoutError) as error:
                if not self.is_degraded:
                    log.warning("live.lost", error=str(error))
            except Exception:
                # Whatever it is, pages that stop changing without a word would be worse.
                log.exception("live.failed")
            self.is_degraded = True
            await asyncio.sleep(delay)
            delay = min(delay * 2, longest)

    def _heard(self, data: bytes) -> None:
        try:
            topic = orjson.loads(data)["topic"]
        except (ValueError, TypeError, KeyError):
            log.warning("live.not_understood")
            return
        for mark in self._marks.get(topic, ()):
            mark.set()


async def _messages(subscription: PubSub) -> AsyncGenerator[dict[str, Any], None]:
    """Everything that the subscription hears. A connection that stays silent when asked is not one."""
    is_asked = False
    while True:
        message: dict[str, Any] | None = await subscription.get_message(timeout=SILENCE)
        if message is not None:
            is_asked = False
            yield message
        elif is_asked:
            raise TimeoutError("Redis does not answer")
        else:
            is_asked = True
            await subscription.ping()


# ---------------------------------------------------------------- streams
@dataclass(frozen=True, slots=True)
class Moment:
    """What a stream shows now: a whole fragment. After the last one there is nothing more to wait for."""

    html: str
    is_last: bool = False


Look = Callable[[AsyncSession], Awaitable[Moment]]


def stream(
    request: Request[Any, Any, Any],
    topics: Sequence[str],
    look: Look,
    *,
    visitor: Visitor,
    every: float = RECHECK,
) -> EventSourceResponse:
    """An answer of server-sent events that shows `look`'s fragment now and after each change of `topics`, or when
    it looks different after `every` so many seconds.

    `look` gets a short transaction of its own and must check there that the visitor may (still) see what it shows;
    a refusal ends the stream, and so does the end of the visitor's session. The last event is named `done`. Raises
    `TooMany` if the visitor has too many streams open already.
    """
    hub: EventHub = request.app.state.hub
    hub.seats.check(visitor)
    database: Database = request.app.state.database
    return EventSourceResponse(
        _events(hub, database, topics, look, visitor, request.headers.get("last-event-id"), every),
        ping=PING_SECONDS,
        sep="\n",
        send_timeout=SEND_TIMEOUT,
    )


def _done() -> ServerSentEvent:
    return ServerSentEvent("done", event="done")


async def _events(
    hub: EventHub,
    database: Database,
    topics: Sequence[str],
    look: Look,
    visitor: Visitor,
    sent: str | None,
    every: float,
) -> AsyncGenerator[ServerSentEvent, None]:
    """`sent` is the id of what the browser shows already: ids are digests, so a reconnection repeats nothing."""
    own = (f"person/{visitor.person.id}",) if visitor.person is not None else ()
    news = hub.changes(*topics, *own, every=every)
    async with hub.seats.taken(visitor), aclosing(news) as changes:
        async for _ in changes:
            try:
                moment = await _now(hub, database, look, visitor)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("live.not_looked", error=str(error))
                continue
            if moment is None:
                yield _done()
                return
            digest = hashlib.sha256(moment.html.encode()).hexdigest()[:16]
            if digest != sent:
                yield ServerSentEvent(moment.html, id=digest)
                sent = digest
            if moment.is_last:
                yield _done()
                return
            await asyncio.sleep(PAUSE)


async def _now(hub: EventHub, database: Database, look: Look, visitor: Visitor) -> Moment | None:
    """What there is to see, or None if this visitor may not see it any more."""
    async with hub.looking, database.transaction() as session:
        if not await is_still_signed_in(visitor, session):
            return None
        try:
            return await look(session)
        except Refusal:
            return None
