"""What a worker asks PostgreSQL for: of which of its queues, when, and how many jobs at once.

A bell, a NOTIFY, a free slot or a second of silence all lead to the same thing: claim.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from models.base.away import is_away
from models.base.crash_points import crash_point
from models.base.db import News
from models.jobs import gates
from models.jobs.store import Claim, Store
from tasks.settling import LINGER, RETRY_PAUSE
from tasks.world import World

log = structlog.get_logger(__name__)

#: What was claimed together with another one that is suspected is asked again after so long.
SUSPECT_WAIT: Final = timedelta(seconds=1)
TAKE_TURNS: Final = (
    "Its worker has died twice, and so has that of other jobs: a worker runs one of them at a time."
)
#: How often a busy worker tells the others that there is more than it can take, in seconds.
PASSING_ON: Final = 0.05


class Claiming:
    """Fills the slots of a worker, so many for each of its queues, as long as `until` runs.

    `begin` takes each claim that may run; `put_off` gives one back that may not run yet, and says why.
    """

    def __init__(
        self,
        world: World,
        store: Store,
        slots: Mapping[str, int],
        begin: Callable[[Claim], None],
        put_off: Callable[[Claim, timedelta, str], Awaitable[None]],
    ) -> None:
        self.store = store
        self.slots = dict(slots)
        self._world = world
        self._begin = begin
        self._put_off = put_off
        #: By queue, the slots that are taken.
        self.busy: Counter[str] = Counter()
        self._wake = asyncio.Event()
        #: Those of our queues that are paused or limited, and those of them that are worth asking now.
        self._gated: set[str] = set()
        self._due: set[str] = set()
        #: Keys of limits that may have room since one of their jobs has ended here.
        self._freed: set[str] = set()
        self._look_at = 0.0
        self._passed_on_at: dict[str, float] = {}

    def ring(self, queue: str) -> None:
        """There may be something to claim in this queue."""
        self._due.add(queue)
        self._wake.set()

    def wake(self) -> None:
        """Something has ended that `until` waits for."""
        self._wake.set()

    def take_slot(self, queue: str) -> None:
        """A job of this queue has begun."""
        self.busy[queue] += 1

    def free_slot(self, queue: str) -> None:
        """And is over."""
        self.busy[queue] -= 1
        self._wake.set()

    def make_room(self, claim: Claim) -> None:
        """A job has ended: there may be room in what limits its like."""
        if claim.limit_key is not None:
            self._freed.add(claim.limit_key)
            self._wake.set()
        if claim.queue in self._gated:
            self.ring(claim.queue)

    async def until(self, *ends: asyncio.Task[Any]) -> None:
        """Claim until one of these tasks is done. Whoever ends one of them wakes us."""
        loop = asyncio.get_running_loop()
        while not any(end.done() for end in ends):
            self._wake.clear()
            try:
                if loop.time() >= self._look_at:
                    await self._look()
                await self._claim()
            except Exception as error:
                if is_away(error):
                    log.warning("jobs.no_database", error=f"{type(error).__name__}: {error}")
                else:
                    log.exception("jobs.not_claimed")
                await asyncio.sleep(RETRY_PAUSE)
                continue
            # Not even for a moment if there is something to claim: what has just begun would run before it, not meanwhile.
            if not self._wake.is_set():
                looking = loop.call_at(self._look_at, self._wake.set)
                await self._wake.wait()
                looking.cancel()
            if self.busy.total() * 2 > sum(self.slots.values()):
                # Busy: let a few more slots come free, so that one round trip fills them all.
                await asyncio.sleep(LINGER)

    async def _look(self) -> None:
        """What no bell tells: times that have come, keys that have room, queues that somebody has decided about."""
        await self.store.promote()
        await gates.wake(self.store)
        self._gated = await gates.gated(self.store, self.slots)
        self._due |= self._gated
        self._look_at = asyncio.get_running_loop().time() + self._world.settings.jobs.poll_seconds

    def _look_in(self, seconds: float | None) -> None:
        if seconds is not None:
            self._look_at = min(self._look_at, asyncio.get_running_loop().time() + seconds)

    async def _claim(self) -> None:
        """Fill free slots, at most half of a queue's at once: while these jobs begin, the next claim is on its way."""
        if self._freed:
            freed, self._freed = self._freed, set()
            self._due |= await gates.wake(self.store, freed)
        due, self._due = self._due & self._gated, set()
        free = {
            queue: limit - self.busy[queue] for queue, limit in self.slots.items() if limit > self.busy[queue]
        }
        wanted = {queue: min(count, -(-self.slots[queue] // 2)) for queue, count in free.items()}
        claims: list[Claim] = []
        if plain := {queue: count for queue, count in wanted.items() if queue not in self._gated}:
            claims += await self.store.claim(plain)
            # Before the next question: if that has no answer, as behind somebody who holds a gate, these are not forgotten.
            await self._begin_all(claims)
        if gated := {queue: free[queue] for queue in free.keys() & due}:
            passed = await gates.claim(self.store, gated)
            claims += passed.claims
            self._look_in(passed.opens_in)
            await self._begin_all(passed.claims)
        taken = Counter(claim.queue for claim in claims)
        if any(free[queue] > count >= wanted[queue] for queue, count in taken.items()):
            self._wake.set()
        if full := [queue for queue in taken if taken[queue] == free[queue]]:
            await self._pass_on(full)

    async def _begin_all(self, claims: Sequence[Claim]) -> None:
        """Begin what was claimed; what has the key of a limit, if there is room for it."""
        keyed: list[Claim] = []
        for claim in await self._one_suspect_of(claims):
            crash_point("after a claim, before the first job begins")
            if claim.limit_key is None:
                self._begin(claim)
            else:
                keyed.append(claim)
        if keyed:
            passed = await gates.admit(self.store, keyed)
            self._look_in(passed.opens_in)
            for claim in passed.claims:
                self._begin(claim)
            if len(passed.claims) < len(keyed):
                # Slots are free again, for jobs of other keys.
                self._wake.set()

    async def _one_suspect_of(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """All that nothing is suspected of, and one of the others: see `store.suspected`.

        The rest is given back before that one begins, or it would die with it and be blamed for it.
        """
        found = list(claims)
        for claim in [one for one in claims if one.is_suspect][1:]:
            await self._put_off(claim, SUSPECT_WAIT, TAKE_TURNS)
            found.remove(claim)
        return found

    async def _pass_on(self, queues: list[str]) -> None:
        """Our slots are full and there may be more: ring again, so that an idle worker comes to look.

        While we claim all the time, not each time: whoever is idle needs to hear it once.
        """
        clock = asyncio.get_running_loop().time()
        due = {queue for queue in queues if clock >= self._passed_on_at.get(queue, 0.0) + PASSING_ON}
        if due and self._world.database.tell is not None:
            self._passed_on_at |= dict.fromkeys(due, clock)
            await self._world.database.tell(News(queues=due))
