"""Many who want the same at once: one job for a key, one at a time for a limit, an end for what runs."""

from signal import SIGSTOP

from models.jobs.states import BulkDeed
from tests.reliability.asking import ask_for_a_deed, ask_under_limits
from tests.reliability.messages import Overtaken
from tests.reliability.oracle import SIDE_BY_SIDE
from tests.reliability.process import SLOTS
from tests.reliability.stage import Stage


async def asked_four_times(stage: Stage) -> None:
    """Four processes ask for the same jobs at the same moment, each under its own key."""
    if stage.without == "uniqueness":
        await stage.fetch("drop index jobs_unique")
    tokens = stage.take(stage.size.jobs)
    askers = [stage.start("asker", tokens=tokens) for _ in range(4)]
    assert [await stage.ended(one) for one in askers] == [0] * 4
    stage.answered.update(tokens)
    stage.start("worker")
    await stage.until_done()


async def one_gate(stage: Stage) -> None:
    """Workers that want to begin jobs of the same keys at the same moment."""
    stage.start("dispatcher")
    for worker in [stage.start("worker") for _ in range(4)]:
        await stage.until_idle(worker)
    # What a worker claims at once, for each of them; again and again, for they meet at the gate in the beginning, and by
    # chance: without its lock, until two have.
    for _ in range(40 if stage.without else max(4, stage.size.jobs // 16)):
        await ask_under_limits(stage, 16)
        await stage.until_done()
        if (await stage.fetch(SIDE_BY_SIDE))[0][0]:
            break


async def cancelled_and_killed(stage: Stage) -> None:
    """Jobs that were asked to stop, by a worker that hears nothing and dies: they are over, and no other begins them."""
    stage.start("dispatcher")
    victim = stage.start("worker")
    await stage.ask(SLOTS, kind=Overtaken)
    stopped = set(stage.attempted)
    await stage.until_active(SLOTS)
    stage.send(victim, SIGSTOP)
    await ask_for_a_deed(stage, BulkDeed.CANCEL, Overtaken)
    stage.start("worker", queue="default")
    await stage.until("select from job_bulk_actions where finished_at is not null")
    victim.kill()
    stage.start("worker")
    await stage.ask(stage.size.jobs - SLOTS)
    await stage.until_done()
    # Nobody wants them any more.
    await stage.fetch("delete from jobs where state = 'cancelled'")
    stage.attempted -= stopped
    stage.answered -= stopped
