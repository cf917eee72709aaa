"""Galley. `python -m tests.benchmarks.peers.galley` is its worker."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from models.base.db import Database
from models.base.logs import configure
from models.base.news import Herald, connect
from models.base.settings import start
from models.jobs import Job, Wish, enqueue, enqueue_all
from tasks.runs import Work, runs
from tasks.worker import work
from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record

SLOTS = 100


class Noop(Job, frozen=True):
    """Does nothing."""

    kind: ClassVar[str] = "bench.noop"
    queue: ClassVar[str] = "bench"
    asked_ns: int
    seconds: float = 0
    padding: str = PADDING


@runs(Noop)
async def noop(job: Noop, work: Work) -> None:
    record(job.asked_ns)
    if job.seconds:
        await asyncio.sleep(job.seconds)
        record(job.asked_ns, "ended")


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask with a committed statement each, and tell of it."""
    herald = Herald(connect(os.environ["REDIS_URL"]))
    database = Database(os.environ["DATABASE_URL"], pool_size=1, tell=herald.tell)
    # Connected before the clock starts, as the others are.
    async with database.engine.connect():
        pass

    async def one(asked_ns: int, seconds: float) -> None:
        async with database.statement() as session:
            await enqueue(session, Noop(asked_ns=asked_ns, seconds=seconds))

    async def many(asked_ns: list[int]) -> None:
        async with database.statement() as session:
            await enqueue_all(session, (Wish(Noop(asked_ns=each)) for each in asked_ns))

    yield Ask(one, many)
    await database.close()
    await herald.close()


if __name__ == "__main__":
    import uvloop

    settings = start()
    configure(settings, process="worker")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(work(settings, {"bench": SLOTS}))
