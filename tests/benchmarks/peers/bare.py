"""A table, asyncpg and nothing else: what a committed job costs at the least. `python -m tests.benchmarks.peers.bare` is
its worker. It knows no retries, limits, priorities or heartbeats, and a dead worker's jobs are lost.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson

from tests.benchmarks.client import Ask
from tests.benchmarks.record import PADDING, record

BATCH = 100

_TABLE = """
create table bare (id bigint generated always as identity primary key, args jsonb not null, state text not null);
create index bare_waiting on bare (id) where state = 'waiting';
"""
_ASK = "insert into bare (args, state) select args, 'waiting' from unnest($1::jsonb[]) args"
_CLAIM = f"""
update bare set state = 'active'
 where id = any(array(
       select id from bare where state = 'waiting' order by id limit {BATCH} for update skip locked))
returning id, args
"""
_FINISH = "update bare set state = 'completed' where id = any($1::bigint[])"


async def prepare() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute(_TABLE)
    await connection.close()


def _packed(asked_ns: int, seconds: float) -> str:
    return orjson.dumps({"asked_ns": asked_ns, "seconds": seconds, "padding": PADDING}).decode()


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Ask on a connection of our own, and ring by NOTIFY after the commit, without waiting for it to arrive."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])

    async def one(asked_ns: int, seconds: float) -> None:
        await connection.execute(_ASK, [_packed(asked_ns, seconds)])
        await connection.execute("notify bare")

    async def many(asked_ns: list[int]) -> None:
        await connection.execute(_ASK, [_packed(each, 0) for each in asked_ns])

    yield Ask(one, many)
    await connection.close()


async def work() -> None:
    """Be a worker: claim a hundred, run them, write all of them down as done."""
    rung = asyncio.Event()
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("set plan_cache_mode = force_custom_plan")
    await connection.add_listener("bare", lambda *_: rung.set())
    while True:
        rung.clear()
        if claimed := await connection.fetch(_CLAIM):
            await asyncio.gather(*(_run(orjson.loads(row["args"])) for row in claimed))
            await connection.execute(_FINISH, [row["id"] for row in claimed])
        else:
            await rung.wait()


async def _run(args: dict[str, float]) -> None:
    record(int(args["asked_ns"]))
    if args["seconds"]:
        await asyncio.sleep(args["seconds"])
        record(int(args["asked_ns"]), "ended")


if __name__ == "__main__":
    import uvloop

    uvloop.run(work())
