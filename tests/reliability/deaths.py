"""Processes that die, by `kill -9`, at named points or in the middle of everything."""

import asyncio
import signal

from models.jobs import enqueue
from models.jobs.states import BulkDeed
from tests.reliability.asking import Ask, ask_for_a_batch, ask_for_a_deed
from tests.reliability.messages import Do, Paid, Poison
from tests.reliability.stage import PATIENCE, Fault, Stage


def killed_at(point: str, ask: Ask = Stage.ask) -> Fault:
    """A worker that dies there, under load, and a fresh one."""

    async def fault(stage: Stage) -> None:
        stage.start("dispatcher")
        victim = stage.start("worker", crash_at=point)
        await ask(stage, stage.size.jobs // 2)
        assert await stage.ended(victim) == -signal.SIGKILL, f"nobody came to the point {point!r}"
        await stage.strike(victim)
        stage.start("worker")
        await ask(stage, stage.size.jobs // 2)
        await stage.until_done()

    return fault


async def asker_killed(stage: Stage) -> None:
    """Committed, and nobody was told: the window in which others lose jobs."""
    for _ in range(max(1, stage.size.jobs // 100)):
        asker = stage.start("asker", crash_at="after a commit, before anybody is told", tokens=stage.take(10))
        assert await stage.ended(asker) == -signal.SIGKILL
    stage.start("worker")
    await stage.until_done()


async def worker_killed(stage: Stage) -> None:
    """Killed from outside in the middle of its jobs, and a fresh one at once."""
    stage.start("dispatcher")
    victim = stage.start("worker")
    await stage.ask(16, seconds=0.3)
    await stage.ask(stage.size.jobs - 16)
    await stage.until_active(8)
    await stage.strike(victim)
    victim.kill()
    stage.start("worker")
    await stage.until_done(PATIENCE if stage.without is None else 4 * stage.size.lease)


async def worker_killed_in_a_flow(stage: Stage) -> None:
    """The jobs of a batch count down to one that is asked for when all are done: once, whoever dies meanwhile."""
    await ask_for_a_batch(stage, stage.size.jobs, seconds=0.1)
    stage.start("dispatcher")
    victim = stage.start("worker")
    await stage.until_active(8)
    await stage.strike(victim)
    victim.kill()
    stage.start("worker")
    await stage.until_done()


async def second_worker_killed(stage: Stage) -> None:
    """The worker that took over from a dead one dies as well, while what the first one held is taken back."""
    stage.start("dispatcher")
    first = stage.start("worker")
    second = stage.start("worker")
    await stage.ask(stage.size.jobs, seconds=0.3)
    await stage.until_active(16)
    await stage.strike()
    first.kill()
    await stage.until("select from job_attempts where outcome = 'worker died'")
    second.kill()
    stage.start("worker")
    await stage.until_done()


async def poisoned(stage: Stage) -> None:
    """A job that kills its worker each time is buried after its attempts, and its neighbours are done."""
    stage.start("dispatcher")
    [mourning] = stage.take(1)
    async with stage.transaction() as session:
        await enqueue(session, Poison(), when_dead=Do(token=mourning, act="write", seconds=0))
    stage.answered.add(mourning)
    # Some are still under way whenever it strikes.
    await stage.ask(4, seconds=2)
    await stage.ask(stage.size.jobs)
    for _ in range(Poison.attempts):
        worker = stage.start("worker")
        assert await stage.ended(worker) == -signal.SIGKILL
    stage.start("worker")
    await stage.until_done()
    assert (await stage.fetch("select state from jobs where kind = 'reliability.poison'"))[0][0] == "dead"


async def killed_in_a_bulk_action(stage: Stage) -> None:
    """Some are let run before their time, others should be cancelled and work for somebody who has paid: whoever dies
    on the way, each is met once, and what is paid for is done.
    """
    count = stage.size.jobs // 2
    await stage.ask(count, after=3600)
    await stage.ask(count, after=3600, kind=Paid)
    promotion = await ask_for_a_deed(stage, BulkDeed.PROMOTE, Do)
    await ask_for_a_deed(stage, BulkDeed.CANCEL, Paid)
    stage.start("dispatcher")
    victim = stage.start("worker", queue="default", crash_at="in a chunk of a bulk action, before its commit")
    assert await stage.ended(victim) == -signal.SIGKILL
    await stage.strike(victim)
    stage.start("worker", queue="default")
    stage.start("worker")
    await stage.until("select from job_bulk_actions having bool_and(finished_at is not null)")
    counts = await stage.fetch("select done, refused from job_bulk_actions where id = $1", promotion)
    assert [tuple(row) for row in counts] == [(count, 0)]
    await stage.fetch("update jobs set run_at = now() where state = 'scheduled' and is_held")
    await stage.until_done()


async def anybody_killed_anytime(stage: Stage) -> None:
    """Workers and dispatchers that die at moments of no choosing, again and again."""
    asking = asyncio.create_task(stage.ask(stage.size.jobs, seconds=0.3))
    living = [stage.start("dispatcher"), stage.start("worker")]
    await stage.until_active(1)
    for _ in range(6):
        await stage.strike()
        for part in stage.luck.sample(living, stage.luck.randint(1, len(living))):
            part.kill()
            living.remove(part)
        living += [stage.start("dispatcher"), stage.start("worker")]
        await asyncio.sleep(stage.luck.uniform(0.2, 1.2))
    await asking
    await stage.until_done()
