"""Answers that get lost on their way from PostgreSQL and Redis, and servers that die, forget, or are out of reach."""

import asyncio

from redis.asyncio import Redis

from tests.reliability.proxy import Wire, wire_to
from tests.reliability.stage import PATIENCE, Stage


def _via(stage: Stage, wire: Wire) -> str:
    """The URL of the stage's database at the other end of this wire."""
    return f"postgresql://postgres@127.0.0.1:{wire.port}/{stage.url.split('/')[-1].split('?')[0]}"


async def answers_of_postgres_lost(stage: Stage) -> None:
    """The write went through and its answer never came: to claims, commits and completions, and to those who ask."""
    async with wire_to(stage.servers.socket) as wire:
        via = _via(stage, wire)
        stage.start("dispatcher")
        stage.start("worker", environment={"DATABASE_URL": via})
        await stage.strike()
        for mark in (b"reliability.do", b"COMMIT\0", b"UPDATE ", b"COMMIT\0"):
            wire.to_lose.append(mark)
            await stage.ask(stage.size.jobs // 5, via=via)
        wire.to_lose.append(b"reliability.do")
        await stage.ask(stage.size.jobs // 5)
        await stage.until_done(PATIENCE if stage.without is None else 7)


async def commits_unanswered(stage: Stage) -> None:
    """Everybody commits, and hears nothing of every fifth: whoever asks, works, and looks after the jobs."""
    async with wire_to(stage.servers.socket) as wire:
        via = _via(stage, wire)
        wire.one_in = {b"COMMIT\0": 5}
        for role in ("dispatcher", "worker"):
            stage.start(role, environment={"DATABASE_URL": via})
        await stage.ask(stage.size.jobs // 2, via=via)
        await stage.ask(stage.size.jobs // 2, after=0.3, via=via)
        await stage.until_done()


async def postgres_out_of_reach(stage: Stage) -> None:
    """Nobody reaches PostgreSQL for longer than a lease, and the worker a little longer than the dispatcher: it has been
    silent for so long, and lives.
    """
    async with wire_to(stage.servers.socket) as wire, wire_to(stage.servers.socket) as longer:
        stage.start("dispatcher", environment={"DATABASE_URL": _via(stage, wire)})
        stage.start("worker", environment={"DATABASE_URL": _via(stage, longer)})
        await stage.ask(4, seconds=2 * stage.size.lease + 2)
        await stage.until_begun(4)
        wire.cut()
        longer.cut()
        await asyncio.sleep(1.1 * stage.size.lease)
        wire.mend()
        await stage.until_acting(1)
        await asyncio.sleep(0.2 * stage.size.lease)
        longer.mend()
        await stage.ask(stage.size.jobs - 4)
        await stage.until_done(or_begun_again=True)


async def answers_of_redis_lost(stage: Stage) -> None:
    """Bells that rang and were not answered, bells that were read and not delivered."""
    async with wire_to(stage.servers.redis.port) as wire:
        stage.redis_url = f"redis://127.0.0.1:{wire.port}/0"
        stage.start("dispatcher")
        stage.start("worker")
        for mark in (b"bells:", b"-0\r\n", b"bells:"):
            wire.to_lose.append(mark)
            await stage.ask(stage.size.jobs // 3)
        await stage.until_done()


async def redis_flushed(stage: Stage) -> None:
    """Everything in Redis is gone, three times."""
    stage.start("dispatcher")
    stage.start("worker")
    redis = Redis.from_url(stage.redis_url)
    await stage.strike()
    for _ in range(3):
        await stage.ask(stage.size.jobs // 3)
        await redis.flushall()
    await redis.aclose()
    await stage.until_done()


async def redis_killed(stage: Stage) -> None:
    """Redis dies, is away while work goes on, and comes back."""
    stage.start("dispatcher")
    stage.start("worker")
    await stage.ask(stage.size.jobs // 3)
    await stage.strike()
    stage.servers.kill_redis()
    await stage.ask(stage.size.jobs // 3)
    await asyncio.to_thread(stage.servers.redis.restart)
    await stage.ask(stage.size.jobs // 3)
    await stage.until_done()


async def postgres_killed(stage: Stage) -> None:
    """PostgreSQL dies in the middle of everything, and comes back on what its disk holds."""
    stage.start("dispatcher")
    stage.start("worker")
    asking = asyncio.create_task(stage.ask(stage.size.jobs, seconds=0.05))
    await stage.until_active(4)
    await stage.strike()
    stage.servers.kill_postgres()
    await asking
    await stage.servers.start_postgres()
    await stage.ask(stage.size.jobs // 2)
    await stage.until_done()
