"""For tests of product code: what was asked for, and running it now, by the real receiver in this process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.crypto import Keys
from models.base.db import new_id
from models.jobs.message import Job
from models.jobs.states import UNFINISHED
from models.jobs.tables import JobRow
from tasks.broker import BellBroker
from tasks.receiver import JobReceiver
from tasks.runs import RUNNERS
from tasks.worker import load_parts, slots_of
from tasks.world import World

J = TypeVar("J", bound=Job)

#: For queues that only a test's own messages name.
SLOTS_OF_OTHERS = 4
#: How often in a row nothing may be left before everything is believed to be done.
LOOKS = 2

_LEFT = text("select count(*) from jobs where state in ('waiting', 'active')")
_HURRY = text("update jobs set run_at = now(), rank_at = now(), state = 'waiting' where state = 'scheduled'")


async def enqueued(session: AsyncSession, message: type[J], keys: Keys | None = None) -> list[J]:
    """The messages of one type that were asked for and are not done, in the order of asking. `keys` open their secrets."""
    rows = await session.scalars(
        select(JobRow)
        .where(JobRow.kind.in_((message.kind, *message.aliases)), JobRow.state.in_(UNFINISHED))
        .order_by(JobRow.created_at, JobRow.id)
    )
    return [message.read(row.args | _opened(row, keys)) for row in rows]


def _opened(row: JobRow, keys: Keys | None) -> dict[str, Any]:
    if row.secret is None:
        return {}
    if keys is None:
        raise TypeError(f"{row.kind} has secrets: say with which keys they are opened, as world.keys")
    secret: dict[str, Any] = orjson.loads(keys.unseal(row.secret))
    return secret


@asynccontextmanager
async def working(world: World, slots: Mapping[str, int] | None = None) -> AsyncIterator[JobReceiver]:
    """A worker of every queue, or of those with `slots`, that works while the block lasts, and then drains."""
    load_parts()
    worker_id = new_id()
    slots = slots or _slots()
    receiver = JobReceiver(BellBroker(world.settings.redis.url, slots, worker_id), world, slots, worker_id)
    finish = asyncio.Event()
    listening = asyncio.create_task(receiver.listen(finish))
    try:
        yield receiver
    finally:
        finish.set()
        await listening


async def run_everything(world: World, *, hurry: bool = False, within: float = 30) -> JobReceiver:
    """Run every job that is due, and what those ask for. `hurry` also runs those that are scheduled for later."""
    async with working(world) as receiver, asyncio.timeout(within):
        quiet = 0
        while quiet < LOOKS:
            async with world.database.transaction() as session:
                if hurry:
                    await session.execute(_HURRY)
                left = (await session.execute(_LEFT)).scalar_one()
            quiet = quiet + 1 if left == 0 else 0
            await asyncio.sleep(0.002 if quiet else 0.01)
    return receiver


def _slots() -> dict[str, int]:
    return {message.queue: SLOTS_OF_OTHERS for message in RUNNERS} | slots_of([])
