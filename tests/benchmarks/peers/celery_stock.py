"""Celery on Redis with its defaults, results ignored. Run by `celery worker`."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery

from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record

app = Celery("bench", broker=os.environ["REDIS_URL"])
app.conf.update(task_ignore_result=True, task_default_queue="bench", worker_hijack_root_logger=False)


@app.task(name="noop")
def noop(asked_ns: int, seconds: float, padding: str) -> None:
    record(asked_ns)
    if seconds:
        time.sleep(seconds)
        record(asked_ns, "ended")


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask through one producer."""
    with app.producer_pool.acquire(block=True) as producer:

        async def one(asked_ns: int, seconds: float) -> None:
            noop.apply_async((asked_ns, seconds, PADDING), producer=producer)

        async def many(asked_ns: list[int]) -> None:
            # There is no call for many.
            for each in asked_ns:
                await one(each, 0)

        yield Ask(one, many)
