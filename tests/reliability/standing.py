"""Servers that die while processes stand at the named points, which go on when the servers are back."""

import asyncio
from multiprocessing.process import BaseProcess
from signal import SIGCONT

import psutil

from tests.reliability.asking import Ask, ask_for_a_flow, ask_under_limits
from tests.reliability.stage import PATIENCE, Stage

#: Points of a worker, with what brings it there.
_POINTS: dict[str, Ask] = {
    "after a claim, before the first job begins": Stage.ask,
    "after the work, before its transaction": Stage.ask,
    "in the last transaction, before its commit": Stage.ask,
    "after the last transaction": Stage.ask,
    "before a batch of completions": Stage.ask,
    "after a batch of completions": Stage.ask,
    "in a flow, before what follows from its job's end": ask_for_a_flow,
    "between a claim and its gate": ask_under_limits,
    "in a gate, before its commit": ask_under_limits,
}


async def servers_killed(stage: Stage) -> None:
    """A worker at each of its points and a dispatcher at one of its own stand still, PostgreSQL and Redis die, and all go on.

    One comes after the other: who stands in a gate lets nobody else through it.
    """
    standing = []
    for point, ask in _POINTS.items():
        worker = stage.start("worker", crash_at=point, stands=True)
        await ask(stage, stage.size.jobs // 3)
        await _stands(worker)
        standing.append(worker)
    dispatcher = stage.start("dispatcher", crash_at="in the firing of a schedule", stands=True)
    await _stands(dispatcher)
    await stage.strike()
    stage.servers.kill_postgres()
    stage.servers.kill_redis()
    await stage.servers.start_postgres()
    await asyncio.to_thread(stage.servers.redis.restart)
    for process in (*standing, dispatcher):
        stage.send(process, SIGCONT)
    await stage.until_done()


async def _stands(process: BaseProcess) -> None:
    async with asyncio.timeout(PATIENCE):
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.02)
