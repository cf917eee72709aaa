"""PgQueuer on PostgreSQL with its durable tables. `python -m tests.benchmarks.peers.pgqueuer_stock` is its worker."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record


async def prepare() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


def _packed(asked_ns: int, seconds: float) -> bytes:
    return json.dumps([asked_ns, seconds, PADDING]).encode()


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask on a connection of our own."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    queries = Queries(AsyncpgDriver(connection))

    async def one(asked_ns: int, seconds: float) -> None:
        await queries.enqueue("noop", _packed(asked_ns, seconds))

    async def many(asked_ns: list[int]) -> None:
        count = len(asked_ns)
        await queries.enqueue(["noop"] * count, [_packed(each, 0) for each in asked_ns], [0] * count)

    yield Ask(one, many)
    await connection.close()


async def work() -> None:
    """Be a worker."""
    worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["DATABASE_URL"])))

    @worker.entrypoint("noop")
    async def noop(job: Job) -> None:
        asked_ns, seconds, _ = json.loads(job.payload or b"")
        record(asked_ns)
        if seconds:
            await asyncio.sleep(seconds)
            record(asked_ns, "ended")

    await worker.run(batch_size=100)


if __name__ == "__main__":
    import uvloop

    uvloop.run(work())
