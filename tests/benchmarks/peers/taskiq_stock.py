"""Taskiq with taskiq-redis as its documentation shows it: RedisStreamBroker. Run by `taskiq worker`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskiq_redis import RedisStreamBroker

from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record

# Without "0" it never delivers what was sent before its group existed.
broker = RedisStreamBroker(os.environ["REDIS_URL"], queue_name="bench", consumer_id="0")


@broker.task(task_name="noop")
async def noop(asked_ns: int, seconds: float, padding: str) -> None:
    record(asked_ns)
    if seconds:
        await asyncio.sleep(seconds)
        record(asked_ns, "ended")


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask as the documentation does."""
    await broker.startup()

    async def one(asked_ns: int, seconds: float) -> None:
        await noop.kiq(asked_ns, seconds, PADDING)

    async def many(asked_ns: list[int]) -> None:
        # There is no call for many.
        await asyncio.gather(*(one(each, 0) for each in asked_ns))

    yield Ask(one, many)
    await broker.shutdown()
