"""The faults, each on real processes under load. In the end `Stage.judge` counts."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta

from redis.asyncio import Redis

from models.base.db import Database
from models.jobs import enqueue
from models.jobs.flows import enqueue_batch
from tests.reliability.messages import Do, Later, Poison
from tests.reliability.oracle import Figures
from tests.reliability.outside import answers_of_ses_lost, answers_of_stripe_lost
from tests.reliability.proxy import wire_to
from tests.reliability.servers import Servers
from tests.reliability.stage import PATIENCE, Size, Stage, staged

Fault = Callable[[Stage], Awaitable[None]]

#: Points that a worker meets while it works.
OF_A_WORKER = (
    "after a claim, before the first job begins",
    "after the work, before its transaction",
    "in the last transaction, before its commit",
    "after the last transaction",
    "before a batch of completions",
    "after a batch of completions",
)


def killed_at(point: str) -> Fault:
    """A worker that dies there, under load, and a fresh one."""

    async def fault(stage: Stage) -> None:
        stage.start("dispatcher")
        victim = stage.start("worker", crash_at=point)
        await stage.ask(stage.size.jobs // 2)
        assert await stage.ended(victim) == -signal.SIGKILL, f"nobody came to the point {point!r}"
        await stage.strike(victim)
        stage.start("worker")
        await stage.ask(stage.size.jobs // 2)
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
    await _ask_for_a_batch(stage, stage.size.jobs, seconds=0.1)
    stage.start("dispatcher")
    victim = stage.start("worker")
    await stage.until_active(8)
    await stage.strike(victim)
    victim.kill()
    stage.start("worker")
    await stage.until_done()


async def _ask_for_a_batch(stage: Stage, count: int, *, seconds: float) -> None:
    tokens = stage.take(count)
    *jobs, last = [Do(token=one, act="write" if one % 2 else "return", seconds=seconds) for one in tokens]
    database = Database(stage.url, pool_size=1)
    async with database.transaction() as session:
        await enqueue_batch(session, "a batch", jobs, when_done=last)
    await database.close()
    stage.answered.update(tokens)


async def dispatcher_killed_ringing(stage: Stage) -> None:
    """Scheduled jobs were let wait, and no worker was told."""
    victim = stage.start("dispatcher", crash_at="before the dispatcher rings")
    await stage.ask(stage.size.jobs, after=0.3)
    assert await stage.ended(victim) == -signal.SIGKILL
    stage.start("worker")
    await stage.until_done()


async def dispatcher_killed_rescuing(stage: Stage) -> None:
    """The one that takes back what a dead worker held dies as well."""
    victim = stage.start("dispatcher", crash_at="in a rescue, before its commit")
    await stage.ask(16, seconds=0.3)
    await stage.ask(stage.size.jobs - 16)
    worker = stage.start("worker")
    await stage.until_active(8)
    await stage.strike(worker)
    worker.kill()
    assert await stage.ended(victim) == -signal.SIGKILL
    stage.start("dispatcher")
    stage.start("worker")
    await stage.until_done()


async def dispatcher_killed_firing(stage: Stage) -> None:
    """The slot has moved and the job was not asked for yet: one transaction, so it is fired by the next, once."""
    victim = stage.start("dispatcher", crash_at="in the firing of a schedule")
    assert await stage.ended(victim) == -signal.SIGKILL
    assert await stage.fetch("select 1 from job_schedules where fired_at is not null") == []
    stage.start("dispatcher")
    async with asyncio.timeout(PATIENCE):
        while not (
            fired := await stage.fetch(
                "select count(*) from jobs where unique_key like 'schedule/%' group by unique_key"
            )
        ):
            await asyncio.sleep(0.05)
    assert {row["count"] for row in fired} == {1}


async def frozen(stage: Stage) -> None:
    """A worker stops for longer than its lease, is replaced, and wakes in the middle of its jobs."""
    stage.start("dispatcher")
    zombie = stage.start("worker")
    await stage.ask(8, seconds=0.3)
    await stage.until_active(8)
    await stage.strike()
    stage.send(zombie, signal.SIGSTOP)
    await stage.ask(stage.size.jobs - 8)
    stage.start("worker")
    await stage.until_done()
    stage.send(zombie, signal.SIGCONT)
    await stage.until_idle(zombie)
    await stage.ask(10)
    await stage.until_done()


async def frozen_in_a_flow(stage: Stage) -> None:
    """The same in a batch, whose count the late answers would spoil."""
    stage.start("dispatcher")
    zombie = stage.start("worker")
    await _ask_for_a_batch(stage, 9, seconds=0.3)
    await stage.until_active(8)
    await stage.strike()
    stage.send(zombie, signal.SIGSTOP)
    stage.start("worker")
    await stage.until_done()
    stage.send(zombie, signal.SIGCONT)
    await stage.until_idle(zombie)


async def second_worker_killed(stage: Stage) -> None:
    """The worker that took over from a dead one dies as well, while what the first one held is taken back."""
    stage.start("dispatcher")
    first = stage.start("worker")
    second = stage.start("worker")
    await stage.ask(stage.size.jobs, seconds=0.3)
    await stage.until_active(16)
    await stage.strike()
    first.kill()
    async with asyncio.timeout(PATIENCE):
        while not await stage.fetch("select from job_attempts where outcome = 'worker died'"):
            await asyncio.sleep(0.01)
    second.kill()
    stage.start("worker")
    await stage.until_done()


async def long_job(stage: Stage) -> None:
    """Jobs of many leases, as a scan of 45 minutes is one: their workers live, so they are run once."""
    stage.start("dispatcher")
    stage.start("worker")
    stage.start("worker")
    await stage.ask(4, seconds=3.5 * stage.size.lease)
    await stage.ask(stage.size.jobs - 4)
    await stage.until_done(or_begun_again=True)


async def answers_of_postgres_lost(stage: Stage) -> None:
    """The write went through and its answer never came: to claims, commits and completions, and to those who ask."""
    async with wire_to(stage.servers.socket) as wire:
        via = f"postgresql://postgres@127.0.0.1:{wire.port}/{stage.url.split('/')[-1].split('?')[0]}"
        stage.start("dispatcher")
        stage.start("worker", environment={"DATABASE_URL": via})
        await stage.strike()
        for mark in (b"reliability.do", b"COMMIT\0", b"UPDATE ", b"COMMIT\0"):
            wire.to_lose.append(mark)
            await stage.ask(stage.size.jobs // 5, via=via)
        wire.to_lose.append(b"reliability.do")
        await stage.ask(stage.size.jobs // 5)
        await stage.until_done(PATIENCE if stage.without is None else 9)


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
    stage.servers.redis.process.kill()
    stage.servers.redis.process.wait()
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


async def clocks_apart(stage: Stage) -> None:
    """Machines whose clocks are an hour ahead and an hour behind: leases run by PostgreSQL's clock alone."""
    hour = timedelta(hours=1)
    first = stage.start("dispatcher", shift=hour)
    stage.start("worker", shift=hour)
    stage.start("worker", shift=-hour)
    await stage.ask(stage.size.jobs // 2, seconds=0.05)
    first.kill()
    stage.start("dispatcher", shift=-hour)
    await stage.ask(stage.size.jobs // 2, seconds=0.05)
    await asyncio.sleep(1.2 * stage.size.lease)
    await stage.until_done()


async def releases_together(stage: Stage) -> None:
    """A release and the one before it: kinds with former names, kinds not known yet, arguments not known any more."""
    old = stage.start("worker", without="newer_kinds")
    await stage.insert("reliability.former", stage.take(stage.size.jobs // 3))
    await stage.ask(stage.size.jobs // 3, kind=Later, seconds=0)
    # Asked for so long ago that no release of today can have written it.
    await stage.insert("reliability.do", [0], asked_ago=timedelta(hours=2), colour="red")
    async with asyncio.timeout(PATIENCE):
        while (await stage.fetch("select count(*) from jobs where state in ('waiting', 'active')"))[0][0]:
            await asyncio.sleep(0.05)
    stage.send(old, signal.SIGTERM)
    refused = await stage.fetch("select state, error from jobs where args ? 'colour'")
    assert [(row["state"], "colour" in row["error"]) for row in refused] == [("dead", True)]
    await stage.fetch("delete from jobs where args ? 'colour'")
    stage.answered.discard(0)
    # The half minute that a kind waits for a release which knows it.
    await stage.fetch("update jobs set run_at = now() where state = 'scheduled'")
    stage.start("worker")
    await stage.ask(stage.size.jobs // 3)
    await stage.until_done()


async def poisoned(stage: Stage) -> None:
    """A job that kills its worker each time is buried after its attempts, and its neighbours are done."""
    stage.start("dispatcher")
    [mourning] = stage.take(1)
    database = Database(stage.url, pool_size=1)
    async with database.transaction() as session:
        await enqueue(session, Poison(), when_dead=Do(token=mourning, act="write", seconds=0))
    await database.close()
    stage.answered.add(mourning)
    await stage.ask(stage.size.jobs)
    for _ in range(Poison.attempts):
        worker = stage.start("worker")
        assert await stage.ended(worker) == -signal.SIGKILL
    stage.start("worker")
    await stage.until_done()
    assert (await stage.fetch("select state from jobs where kind = 'reliability.poison'"))[0][0] == "dead"


async def drained(stage: Stage) -> None:
    """Workers are replaced one by one under load, as a deployment does: nobody's attempt is lost."""
    stage.start("dispatcher")
    worker = stage.start("worker")
    for _ in range(3):
        await stage.ask(stage.size.jobs // 3, seconds=0.1)
        await stage.until_active(1)
        stage.send(worker, signal.SIGTERM)
        assert await stage.ended(worker) == 0
        worker = stage.start("worker")
    await stage.until_done()


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


FAULTS: dict[str, Fault] = {
    **{f"worker killed {point}": killed_at(point) for point in OF_A_WORKER},
    "worker killed in the middle of its jobs": worker_killed,
    "worker killed in a flow": worker_killed_in_a_flow,
    "asker killed after a commit, before anybody is told": asker_killed,
    "dispatcher killed before the dispatcher rings": dispatcher_killed_ringing,
    "dispatcher killed in a rescue, before its commit": dispatcher_killed_rescuing,
    "dispatcher killed in the firing of a schedule": dispatcher_killed_firing,
    "second worker killed while the first one's jobs are rescued": second_worker_killed,
    "worker frozen past its lease": frozen,
    "worker frozen past its lease in a flow": frozen_in_a_flow,
    "a job of many leases": long_job,
    "answers of PostgreSQL lost": answers_of_postgres_lost,
    "answers of Redis lost": answers_of_redis_lost,
    "answers of Stripe lost": answers_of_stripe_lost,
    "answers of SES lost": answers_of_ses_lost,
    "Redis flushed": redis_flushed,
    "Redis killed and restarted": redis_killed,
    "PostgreSQL killed and restarted": postgres_killed,
    "clocks an hour apart": clocks_apart,
    "two releases together": releases_together,
    "a job that kills its worker": poisoned,
    "workers replaced under load": drained,
    "each job asked for four times": asked_four_times,
}

#: Faults in which no worker dies and none is cut off: nothing may be begun again.
BEGUN_ONCE = frozenset(
    {
        "a job of many leases",
        "answers of Redis lost",
        "Redis flushed",
        "Redis killed and restarted",
        "clocks an hour apart",
        "two releases together",
        "workers replaced under load",
        "each job asked for four times",
    }
)

#: Which fault shows that a guard matters, and the counter that tells of it.
MATTERS = {
    "fence_of_a_finish": ("worker frozen past its lease", "done_twice"),
    "fence_of_a_batch": ("worker frozen past its lease", "unexpected"),
    "fence_of_a_flow": ("worker frozen past its lease in a flow", "unexpected"),
    "rescue": ("worker killed in the middle of its jobs", "lost"),
    "rescue_by_heartbeat": ("a job of many leases", "begun_again"),
    "reconciliation": ("answers of PostgreSQL lost", "lost"),
    "uniqueness": ("each job asked for four times", "done_twice"),
    "key_of_a_refund": ("answers of Stripe lost", "done_twice"),
    "claim_of_a_letter": ("answers of SES lost", "done_twice"),
    "doubt_about_a_letter": ("answers of SES lost", "done_twice"),
}

#: A guard is missed soon: there is no need for many jobs, nor for a long lease.
SMALL = Size(jobs=30, lease=1.5)


async def outcome(servers: Servers, fault: str, size: Size = SMALL, without: str | None = None) -> Figures:
    """Let one fault happen, with or without a guard, and judge."""
    async with staged(servers, size, without) as stage:
        await FAULTS[fault](stage)
        return await stage.judge(fault)
