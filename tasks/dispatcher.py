"""The dispatcher process: `python -m tasks.dispatcher`. Safe to run twice; one acts, by an advisory lock.

It lets scheduled jobs wait when their time has come, takes back what dead workers held, rings again for what
nobody came for, fires the schedules, says how many workers there are to be, raises alarms, and forgets what is old.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import Database, News, news_of
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
from models.jobs.stepping import CLAIMABLE, queues_with
from models.jobs.store import PROMOTE, connect
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

_LATE = text(
    f"""
    with recursive {queues_with(CLAIMABLE, name="lines")}
    select lines.name
      from lines cross join lateral (
           select run_at from jobs where queue = lines.name and {CLAIMABLE} order by rank_at, id limit 1) first
     where first.run_at < now() - cast(:stale as interval)
    """  # noqa: S608 - our own words
)


class Dispatcher:
    """The one that acts, for as long as its connection holds the lock."""

    def __init__(self, world: World, schedules: tuple[Schedule, ...]) -> None:
        self._database: Database = world.database
        self._schedules = schedules
        self._lease = timedelta(seconds=world.settings.jobs.lease_seconds)
        self._keep = timedelta(days=world.settings.jobs.keep_days)
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
        self._is_well = True
        #: What is done now and then, and every how many seconds.
        self._parts: Mapping[Callable[[AsyncSession], Awaitable[None]], float] = {
            self._rescue: RESCUE_SECONDS,
            self._ring_again: RESCUE_SECONDS,
            self._fire: RESCUE_SECONDS,
            self._measure: MEASURE_SECONDS,
            self._tidy: CARE_SECONDS,
            self._roll_up: CARE_SECONDS,
            self._watch: CARE_SECONDS,
        }

    async def act(self, lock: asyncpg.Connection) -> None:
        """Tick until the lock is lost; then whoever takes it next begins afresh."""
        due_at = dict.fromkeys(self._parts, 0.0)
        while True:
            began = time.monotonic()
            # On the connection that holds the lock: if the lock is lost, so is the tick.
            promoted = {row["queue"] for row in await lock.fetch(PROMOTE, 1000)}
            await self._ring(promoted)
            for part, seconds in self._parts.items():
                if began >= due_at[part]:
                    due_at[part] = began + seconds
                    with self._by_itself(part.__name__):
                        async with self._database.transaction() as session:
                            await part(session)
            await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began)))

    async def forget(self) -> None:
        """Delete jobs that are old, until cancelled. Beside the ticks, which it would hold up: a chunk may take a second."""
        while True:
            pause = CARE_SECONDS
            with self._by_itself("forget"):
                async with self._database.transaction() as session:
                    if await self._forget(session):
                        pause = TICK_SECONDS
            await asyncio.sleep(pause)

    @contextlib.contextmanager
    def _by_itself(self, part: str) -> Iterator[None]:
        """What goes wrong in one part is logged, and holds up no other. Its next time may have more luck."""
        try:
            yield
        except Exception:
            self._is_well = False
            log.exception("dispatcher.fault", part=part)

    async def _rescue(self, session: AsyncSession) -> None:
        if time.monotonic() >= self._patient_until and (saved := await rescue(session, self._lease)):
            crash_point("in a rescue, before its commit")
            log.warning("jobs.rescued", jobs=[str(job) for job in saved])

    async def _ring_again(self, session: AsyncSession) -> None:
        news_of(session).queues.update(await late(session))

    async def _fire(self, session: AsyncSession) -> None:
        await fire_due(session, self._schedules, now())

    async def _measure(self, session: AsyncSession) -> None:
        await measure(session, self._lease, now())

    async def _tidy(self, session: AsyncSession) -> None:
        await forget_workers(session)
        await forget_what_is_left(session)
        await forget_keys(session)
        await forget_decisions(session)
        await set_defaults(session)

    async def _roll_up(self, session: AsyncSession) -> None:
        await roll_up(session, now())

    async def _watch(self, session: AsyncSession) -> None:
        await watch(session, self._thresholds)
        # With a part that fails it counts as silent, and somebody is told.
        if self._is_well:
            log.info("dispatcher.status")
        self._is_well = True

    async def _forget(self, session: AsyncSession) -> bool:
        """Delete some of the jobs that are old. Returns whether there were any."""
        at = time.monotonic()
        is_all = at >= self._reach_at
        count = await forget_finished(session, self._keep, KEEP_DAYS, reach=EVER if is_all else REACH)
        if is_all and not count:
            self._reach_at = at + REACH_SECONDS
        return count > 0

    async def _ring(self, queues: set[str]) -> None:
        if queues and self._database.tell is not None:
            crash_point("before the dispatcher rings")
            await self._database.tell(News(queues=queues))


async def late(session: AsyncSession) -> set[str]:
    """The queues for whose next job nobody came."""
    return set((await session.execute(_LATE, {"stale": STALE})).scalars())


async def dispatch(settings: Settings) -> None:
    """Wait for the lock, act while it is held, begin again when it is not any more, until a signal comes."""
    loop = asyncio.get_running_loop()
    me = asyncio.current_task()
    assert me is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, me.cancel)
    async with open_world(settings, connections=3, name="dispatcher") as world:
        log.info("dispatcher.ready")
        while True:
            try:
                await hold_and_act(world)
            except Exception as error:  # noqa: BLE001 - mostly the database is away; without us nobody rescues or fires
                log.warning("dispatcher.interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(1)


async def hold_and_act(world: World) -> None:
    """Wait for the lock and act for as long as it is held. Raises what took it away."""
    lock: asyncpg.Connection | None = None
    beside: list[asyncio.Task[None]] = []
    try:
        lock = await connect(world.settings.database.url, "dispatcher lock")
        while not await lock.fetchval("select pg_try_advisory_lock($1)", DISPATCHER_LOCK):  # noqa: ASYNC110 - held elsewhere
            await asyncio.sleep(1)
        log.info("dispatcher.acting")
        dispatcher = Dispatcher(world, SCHEDULES)
        # Beside the ticks, which wait neither for ECS nor for a mail server.
        beside = [
            asyncio.create_task(one) for one in (scale(world), raise_alarms(world), dispatcher.forget())
        ]
        await dispatcher.act(lock)
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
