"""Running the jobs of a test in its own process, by the real receiver, until none is left to run now."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from models.base.db import new_id
from tasks.broker import BellBroker
from tasks.receiver import JobReceiver
from tasks.worker import QUEUES_FILE, load_parts
from tasks.world import World

#: Queues of the product, and one for the messages that tests define.
SLOTS = {name: one["slots"] for name, one in json.loads(QUEUES_FILE.read_text()).items()} | {"test": 4}

_LEFT = text("select count(*) from jobs where state in ('waiting', 'active')")
_HURRY = text("update jobs set run_at = now(), rank_at = now(), state = 'waiting' where state = 'scheduled'")


@asynccontextmanager
async def working(world: World, slots: dict[str, int] | None = None) -> AsyncIterator[JobReceiver]:
    """A worker that works in this process while the block lasts, and then drains."""
    load_parts()
    worker_id = new_id()
    slots = slots or SLOTS
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
        while quiet < 2:
            async with world.database.transaction() as session:
                if hurry:
                    await session.execute(_HURRY)
                left = (await session.execute(_LEFT)).scalar_one()
            quiet = quiet + 1 if left == 0 else 0
            await asyncio.sleep(0.01)
    return receiver
