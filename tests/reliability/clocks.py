"""Time that is not what it seems: processes stopped for longer than their lease, clocks that are wrong."""

import asyncio
import itertools
from datetime import timedelta
from signal import SIGCONT, SIGSTOP, SIGUSR1, SIGUSR2
from typing import get_args

from models.jobs import enqueue
from tests.reliability.asking import ask_for_a_batch
from tests.reliability.guards import HOUR
from tests.reliability.messages import Act, Overtaken
from tests.reliability.process import SLOTS
from tests.reliability.stage import Stage

_LONG_AGO = """
update jobs set started_at = started_at - ago, created_at = created_at - ago, run_at = run_at - ago, rank_at = rank_at - ago
  from (values ($1::interval)) as long (ago) where state = 'active'
"""


async def frozen(stage: Stage) -> None:
    """A worker stops for longer than its lease, is replaced, and wakes in the middle of its jobs: whatever it does with
    them then comes too late.
    """
    stage.start("dispatcher")
    zombie = stage.start("worker")
    tokens = stage.take(SLOTS)
    async with stage.transaction() as session:
        for token, act in zip(tokens, itertools.cycle(get_args(Act))):
            await enqueue(session, Overtaken(token=token, act=act, seconds=0))
    stage.answered.update(tokens)
    await stage.until_begun(SLOTS)
    await stage.strike()
    stage.send(zombie, SIGSTOP)
    await stage.ask(stage.size.jobs - SLOTS)
    stage.start("worker")
    await stage.until_done()
    stage.send(zombie, SIGCONT)
    await stage.until_idle(zombie)
    await stage.ask(10)
    await stage.until_done()


async def frozen_in_a_flow(stage: Stage) -> None:
    """The same in a batch, whose count the late answers would spoil."""
    stage.start("dispatcher")
    zombie = stage.start("worker")
    await ask_for_a_batch(stage, SLOTS + 1, kind=Overtaken)
    await stage.until_begun(SLOTS)
    await stage.strike()
    stage.send(zombie, SIGSTOP)
    stage.start("worker")
    await stage.until_done()
    stage.send(zombie, SIGCONT)
    await stage.until_idle(zombie)


async def long_job(stage: Stage) -> None:
    """Jobs of many leases, as a scan of 45 minutes is one: their workers live, so they are run once.

    Of its 540 leases of five seconds, three and a half are lived through, and the others are said to have been.
    """
    stage.start("dispatcher")
    stage.start("worker")
    stage.start("worker")
    await stage.ask(4, seconds=3.5 * stage.size.lease)
    await stage.until_active(4)
    await stage.fetch(_LONG_AGO, timedelta(seconds=540 * stage.size.lease))
    await stage.ask(stage.size.jobs - 4)
    await stage.until_done(or_begun_again=True)


async def clocks_apart(stage: Stage) -> None:
    """Machines whose clocks are an hour ahead and an hour behind: leases run by PostgreSQL's clock alone."""
    first = stage.start("dispatcher", shift=HOUR)
    stage.start("worker", shift=HOUR)
    stage.start("worker", shift=-HOUR)
    await stage.ask(stage.size.jobs // 2, seconds=0.05)
    first.kill()
    stage.start("dispatcher", shift=-HOUR)
    await stage.ask(stage.size.jobs // 2, seconds=0.05)
    await asyncio.sleep(1.2 * stage.size.lease)
    await stage.until_done()


async def clocks_jump(stage: Stage) -> None:
    """Clocks that are put forward by an hour while everybody works, and then back by two."""
    processes = [stage.start("dispatcher"), stage.start("worker"), stage.start("worker")]
    for worker in processes[1:]:
        await stage.until_idle(worker)
    await stage.until("select from job_schedules")  # which the dispatcher writes down when it begins to act
    for jumps in ((SIGUSR1,), (SIGUSR2, SIGUSR2)):
        await stage.ask(stage.size.jobs // 3, seconds=0.1)
        await stage.ask(stage.size.jobs // 6, after=0.5)
        await stage.until_active(1)
        for jump in jumps:
            for process in processes:
                stage.send(process, jump)
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.2 * stage.size.lease)
    await stage.until_done()
