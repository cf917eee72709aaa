"""Shows how far the running jobs are: four times a second to whoever looks, once a second into the rows."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog

from models.base.away import is_away
from models.jobs.progress import Line, Progress, flush, publish
from tasks.runs import Attempt
from tasks.world import World

log = structlog.get_logger(__name__)

TICK: Final = 0.25
TICKS_PER_FLUSH: Final = 4
#: Lines of a job that cannot be written for so long are dropped, oldest first: memory is not a log.
LINES_HELD: Final = 5000
#: A process that wakes so many seconds late was blocked meanwhile.
BLOCKED: Final = 3.0
#: A line of an attempt of a job.
Told = tuple[UUID, int, Line]


class Reporter:
    """Gathers what runners say and coalesces it, so that a chatty runner costs what a quiet one costs."""

    def __init__(self, world: World, running: Mapping[UUID, Attempt]) -> None:
        self._world = world
        self._running = running
        self._news: dict[UUID, Progress] = {}
        self._lines: list[Told] = []
        self._ended: list[Attempt] = []
        #: Those that ended since the last tick and took long enough to have blocked it.
        self._long: list[Attempt] = []
        self.blocked_after = BLOCKED
        self._stopping = asyncio.Event()

    def last(self, attempt: Attempt) -> None:
        """Take over what an attempt has left to say when it ends."""
        if attempt.is_dirty or attempt.new_lines:
            self._ended.append(attempt)
        # Not by `took`: this is on the way of every job.
        if (attempt.ended or time.monotonic()) - attempt.began >= self.blocked_after:
            self._long.append(attempt)

    def stop(self) -> None:
        """Let `report` end with a last word. It is never cancelled: that could cut off what is being written."""
        self._stopping.set()

    async def report(self) -> None:
        """Show and write until stopped, and write what is left then."""
        tick = 0
        while not self._stopping.is_set():
            self._long.clear()
            wakes_at = time.monotonic() + TICK
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK)
            tick += 1
            if (late := time.monotonic() - wakes_at) >= self.blocked_after:
                self._tell_of_a_block(late)
            await (self.flush() if tick % TICKS_PER_FLUSH == 0 else self._show())
        await self.flush()

    def _tell_of_a_block(self, seconds: float) -> None:
        """Name the jobs of which one has kept all the others from going on."""
        running = [one for one in self._running.values() if one.took().total_seconds() >= self.blocked_after]
        jobs = [f"{one.claim.kind} {one.claim.id}" for one in (*self._long, *running)]
        log.warning("worker.blocked", seconds=round(seconds, 1), jobs=jobs)

    async def _show(self) -> None:
        gone, self._ended = self._ended, []
        dirty = [one for one in (*self._running.values(), *gone) if one.is_dirty or one.new_lines]
        for one in dirty:
            one.is_shown, one.is_dirty = True, False
            self._news[one.claim.id] = one.progress
            self._lines += [(one.claim.id, one.claim.attempt, line) for line in one.new_lines]
            one.new_lines = []
        # Claiming tells nobody, for most jobs end before anybody could look. Of what runs for longer it is told here.
        begun = [
            one for one in self._running.values() if not one.is_shown and one.took().total_seconds() >= TICK
        ]
        for one in begun:
            one.is_shown = True
        if begun or dirty:
            await publish(self._world.redis, [(one.progress, one.claim.subject) for one in (*begun, *dirty)])

    async def flush(self) -> None:
        """Write what is known into the rows; what cannot be written now is kept for the next time."""
        await self._show()
        if not self._news and not self._lines:
            return
        news, lines = list(self._news.values()), self._lines[-LINES_HELD:]
        self._news, self._lines = {}, []
        await self._write(news, lines)

    async def _write(self, news: list[Progress], lines: list[Told]) -> None:
        try:
            async with self._world.database.transaction() as session:
                await flush(session, news, lines)
        except Exception as error:  # noqa: BLE001 - nobody would show or write anything any more
            if is_away(error):
                log.warning("progress.not_written", error=str(error))
                self._lines = lines + self._lines
                self._news = {one.job_id: one for one in news} | self._news
            elif len(news) + len(lines) > 1:
                # Of one that cannot be written the others do not have to know. It is found by halving.
                half, middle = (len(news) + 1) // 2, len(lines) // 2
                await self._write(news[:half], lines[:middle])
                await self._write(news[half:], lines[middle:])
            else:
                log.warning("progress.dropped", error=str(error))
