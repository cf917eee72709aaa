"""The dispatcher process: `python -m tasks.dispatcher`. Safe to run twice; one acts, by an advisory lock.

It lets scheduled jobs wait when their time has come, takes back what dead workers held, rings again for what
nobody came for, fires the schedules, says how many workers there are to be, and forgets what is old.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from sqlalchemy import text

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import Database, News
from models.base.process import DISPATCHER_LOCK, begin
from models.base.settings import Settings
from models.everything import SCHEDULES
from models.jobs.actions import forget_workers, rescue
from models.jobs.alerts import Thresholds, watch
from models.jobs.fleet import forget_decisions
from models.jobs.keys import forget_keys
from models.jobs.limits import set_defaults
from models.jobs.metrics import roll_up
from models.jobs.retention import EVER, forget_finished, forget_what_is_left
from models.jobs.schedules import Schedule, fire_due
from models.jobs.store import DATABASE_AWAY, PROMOTE, connect
from tasks.alarm import raise_alarms
from tasks.gauges import forget, measure
from tasks.queues import QUEUES
from tasks.scaling import scale
from tasks.world import World, open_world

log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 0.25
RESCUE_SECONDS: Final = 1.0
MEASURE_SECONDS: Final = 15.0
CARE_SECONDS: Final = 60.0
#: How far back old jobs are looked for; every so often all of them, for what was put off then or is kept shorter now.
REACH: Final = timedelta(hours=2)
REACH_SECONDS: Final = 3600.0
STALE: Final = timedelta(seconds=2)
#: For how many days finished jobs are kept, by queue, where that is not what the settings say.
KEEP_DAYS: Final[Mapping[str, int]] = {
    name: one["keep_days"] for name, one in QUEUES.items() if "keep_days" in one
}

_FORGOTTEN = text(
    "select distinct queue from (select queue from jobs where state = 'waiting' and blocked_by is null"
    " and run_at < now() - cast(:stale as interval) order by rank_at limit 1000) late"
)


class Dispatcher:
    """The one that acts, for as long as its connection holds the lock."""

    def __init__(self, world: World, schedules: tuple[Schedule, ...]) -> None:
        self._world = world
        self._database: Database = world.database
        self._schedules = schedules
        self._lease = timedelta(seconds=world.settings.jobs.lease_seconds)
        alerts = world.settings.alerts
        self._thresholds = Thresholds(
            waiting=alerts.waiting_jobs,
            oldest=timedelta(seconds=alerts.oldest_seconds),
            dead=alerts.dead_per_hour,
            lease=self._lease,
        )
        # Workers may have been cut off from the database as we were: nobody is taken for dead before everyone
        # has had a full lease to beat again.
        self._patient_until = time.monotonic() + world.settings.jobs.lease_seconds
        self._reach_at = 0.0

    async def act(self, lock: asyncpg.Connection) -> None:
        """Tick until something fails; then whoever takes the lock next begins afresh."""
        rescue_at = measure_at = care_at = forget_at = 0.0
        while True:
            began = time.monotonic()
            # On the connection that holds the lock: if the lock is lost, so is the tick.
            promoted = {row["queue"] for row in await lock.fetch(PROMOTE, 1000)}
            await self._ring(promoted)
            if began >= rescue_at:
                rescue_at = began + RESCUE_SECONDS
                await self._rescue()
            if began >= measure_at:
                measure_at = began + MEASURE_SECONDS
                async with self._database.transaction() as session:
                    await measure(session, self._lease, now())
            if began >= care_at:
                care_at = began + CARE_SECONDS
                await self._care()
            # As much at a time as keeps nobody waiting, and with each tick until nothing old is left.
            if began >= forget_at and not await self._forget(began):
                forget_at = began + CARE_SECONDS
            await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began)))

    async def _rescue(self) -> None:
        if time.monotonic() >= self._patient_until:
            async with self._database.transaction() as session:
                if saved := await rescue(session, self._lease):
                    crash_point("in a rescue, before its commit")
                    log.warning("jobs.rescued", jobs=[str(job) for job in saved])
        async with self._database.transaction() as session:
            late = set((await session.execute(_FORGOTTEN, {"stale": STALE})).scalars())
            await fire_due(session, self._schedules, now())
        await self._ring(late)

    async def _ring(self, queues: set[str]) -> None:
        if queues and self._database.tell is not None:
            crash_point("before the dispatcher rings")
            await self._database.tell(News(queues=queues))

    async def _forget(self, at: float) -> bool:
        """Delete some of the jobs that are old. Returns whether there were any."""
        is_all = at >= self._reach_at
        async with self._database.transaction() as session:
            days = timedelta(days=self._world.settings.jobs.keep_days)
            count = await forget_finished(session, days, KEEP_DAYS, reach=EVER if is_all else REACH)
        if is_all and not count:
            self._reach_at = at + REACH_SECONDS
        return count > 0

    async def _care(self) -> None:
        async with self._database.transaction() as session:
            await forget_workers(session)
            await forget_what_is_left(session)
            await forget_keys(session)
            await forget_decisions(session)
            await set_defaults(session)
        async with self._database.transaction() as session:
            await roll_up(session, now())
        async with self._database.transaction() as session:
            await watch(session, self._thresholds)
        log.info("dispatcher.status")


async def dispatch(settings: Settings) -> None:
    """Wait for the lock, act while it is held, begin again when the database was away, until a signal comes."""
    loop = asyncio.get_running_loop()
    me = asyncio.current_task()
    assert me is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, me.cancel)
    async with open_world(settings, connections=2, name="dispatcher") as world:
        log.info("dispatcher.ready")
        while True:
            with contextlib.suppress(*DATABASE_AWAY):
                await hold_and_act(world)
            await asyncio.sleep(1)


async def hold_and_act(world: World) -> None:
    """Wait for the lock and act for as long as it is held. Raises one of `DATABASE_AWAY` when it is not any more."""
    lock: asyncpg.Connection | None = None
    beside: list[asyncio.Task[None]] = []
    try:
        lock = await connect(world.settings.database.url, "dispatcher lock")
        while not await lock.fetchval("select pg_try_advisory_lock($1)", DISPATCHER_LOCK):  # noqa: ASYNC110 - held elsewhere
            await asyncio.sleep(1)
        log.info("dispatcher.acting")
        # Beside the ticks, which wait neither for ECS nor for a mail server.
        beside = [asyncio.create_task(scale(world)), asyncio.create_task(raise_alarms(world))]
        await Dispatcher(world, SCHEDULES).act(lock)
    except DATABASE_AWAY as error:
        log.warning("dispatcher.interrupted", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        for task in beside:
            task.cancel()
        if lock is not None:
            lock.terminate()
        forget()


def main() -> None:
    """Dispatch."""
    settings = begin("dispatcher")
    with contextlib.suppress(asyncio.CancelledError):
        import uvloop

        uvloop.run(dispatch(settings))


if __name__ == "__main__":
    main()
