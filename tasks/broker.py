"""Taskiq's Redis streams as a doorbell: a message says that a queue has work, never which.

The stock broker loses what a dead worker held, runs long tasks twice and dies with its connection. None of
that matters for a bell: the row in PostgreSQL is the job, and a lost bell costs a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final, NoReturn
from uuid import UUID

import structlog
from redis.exceptions import RedisError, ResponseError
from taskiq import AckableMessage
from taskiq.message import BrokerMessage
from taskiq_redis import RedisStreamBroker

from models.base.news import STREAM, connect

log = structlog.get_logger(__name__)

BLOCK_MS: Final = 2000
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0


class BellBroker(RedisStreamBroker):
    """Listens for bells of some queues, as one consumer of a group: each bell wakes one worker."""

    def __init__(self, url: str, queues: Iterable[str], worker_id: UUID) -> None:
        self.streams = {STREAM.format(queue=queue): queue for queue in queues}
        first, *others = self.streams
        super().__init__(
            url,
            queue_name=first,
            additional_streams=dict.fromkeys(others, ">"),
            consumer_group_name="workers",
            consumer_name=str(worker_id),
            consumer_id="0",
            xread_block=BLOCK_MS,
        )
        # One connection of our own. The timeout is longer than a blocking read, or silence would look like a failure.
        self.client = connect(url, connections=2, timeout=BLOCK_MS / 1000 + 3)

    async def startup(self) -> None:
        """Start without Redis if need be: the worker looks for itself every second, and listening goes on trying."""
        try:
            await super().startup()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("bells.no_redis", error=str(error))

    async def kick(self, message: BrokerMessage) -> NoReturn:
        """Refuse: a job that is not a row can be lost."""
        raise TypeError(
            f"{message.task_name} was kicked; ask for work with models.jobs.enqueue(session, message)"
        )

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield a bell per queue that rang, for ever: through lost connections, a flushed Redis, and silence."""
        pause = FIRST_PAUSE
        while True:
            try:
                async for bell in self._bells():
                    pause = FIRST_PAUSE
                    yield bell
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    log.warning("bells.refused", error=str(error))
                    await asyncio.sleep(pause)
                await self._try_to_declare()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("bells.silent", error=str(error), again_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                await self._try_to_declare()

    async def _bells(self) -> AsyncGenerator[AckableMessage, None]:
        while True:
            fetched: Any = await self.client.xreadgroup(
                self.consumer_group_name,
                self.consumer_name,
                dict.fromkeys(self.streams, ">"),
                count=100,
                block=BLOCK_MS,
            )
            pipe = self.client.pipeline(transaction=False)
            for name, messages in fetched or []:
                ids = [one for one, _ in messages]
                pipe.xack(name, self.consumer_group_name, *ids)
                # Acknowledged entries stay in a stream until they are deleted: it would grow for ever.
                pipe.xdel(name, *ids)
            for name, _ in fetched or []:
                yield AckableMessage(data=self.streams[name.decode()].encode(), ack=_nothing)
            if fetched:
                await pipe.execute()

    async def _try_to_declare(self) -> None:
        try:
            await self._declare_consumer_group()
        except (RedisError, OSError, TimeoutError):
            log.debug("bells.no_group")

    async def shutdown(self) -> None:
        """Give the connections back, and take our name off the group."""
        try:
            pipe = self.client.pipeline(transaction=False)
            for name in self.streams:
                pipe.xgroup_delconsumer(name, self.consumer_group_name, self.consumer_name)
            await pipe.execute()
        except (RedisError, OSError, TimeoutError):
            log.debug("bells.not_unsubscribed")
        await self.client.aclose()
        await self.client.connection_pool.disconnect()
        await super().shutdown()


def _nothing() -> None:
    """A bell was acknowledged when it was read: hearing it twice would be worse than missing it."""
