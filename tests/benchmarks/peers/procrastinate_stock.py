"""Procrastinate on PostgreSQL with its defaults. Run by `procrastinate worker`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import procrastinate

from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record

connector = procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=4, max_size=20)
app = procrastinate.App(connector=connector)


@app.task(queue="bench", name="noop")
async def noop(asked_ns: int, seconds: float, padding: str) -> None:
    record(asked_ns)
    if seconds:
        await asyncio.sleep(seconds)
        record(asked_ns, "ended")


async def prepare() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask as the documentation does."""

    async def one(asked_ns: int, seconds: float) -> None:
        await noop.defer_async(asked_ns=asked_ns, seconds=seconds, padding=PADDING)

    async def many(asked_ns: list[int]) -> None:
        await noop.batch_defer_async(
            *({"asked_ns": each, "seconds": 0, "padding": PADDING} for each in asked_ns)
        )

    async with app.open_async():
        yield Ask(one, many)
