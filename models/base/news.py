"""Carries the news of a commit to whoever listens: a bell per queue, a word per topic, both through Redis.

Losing all of it loses nothing but time: workers look for themselves every second, and pages are read from
PostgreSQL.
"""

import time
from typing import Final

import orjson
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from models.base.db import News

log = structlog.get_logger(__name__)

STREAM: Final = "bells:{queue}"
CHANNEL: Final = "live"
BELLS_KEPT: Final = 1000
PAUSE_AFTER_FAILURE: Final = 2.0


def connect(url: str, *, connections: int = 8, timeout: float = 0.5) -> Redis:
    """A Redis client for request paths: it fails within `timeout` seconds and never retries by itself.

    redis-py 8 retries ten times by default, which turned a partition of one second into fifteen.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return Redis.from_pool(pool)


def bell(queue: str) -> bytes:
    """The Taskiq message that says "there is work in this queue". It names no job: to lose or double it is harmless."""
    return orjson.dumps({"task_id": "bell", "task_name": "bell", "labels": {}, "args": [queue], "kwargs": {}})


class Herald:
    """Tells news through Redis, best effort. After a failure it keeps quiet for two seconds, so that a dead
    Redis costs one request in a while and not each of them.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._quiet_until = 0.0

    async def tell(self, news: News) -> bool:
        """Ring the bell of each queue once and name each topic once, in one round trip. Say whether it worked."""
        if time.monotonic() < self._quiet_until:
            return False
        pipe = self.redis.pipeline(transaction=False)
        for queue in news.queues:
            pipe.xadd(STREAM.format(queue=queue), {b"data": bell(queue)}, maxlen=BELLS_KEPT, approximate=True)
        for topic in news.topics:
            pipe.publish(CHANNEL, orjson.dumps({"topic": topic}))
        try:
            await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("news.not_told", error=str(error), queues=sorted(news.queues))
            return False
        return True

    async def close(self) -> None:
        """Give the connections back."""
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()
