"""Taskiq's receiver, taught to claim rows instead of trusting messages.

A bell, a NOTIFY, a free slot or a second of silence all lead to the same thing: claim. What is claimed goes
through Taskiq's own callback (dependencies, middlewares, timeouts); what comes out is settled against the row
under its fence.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from taskiq import TaskiqMessage, TaskiqResult
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.acks import AckController
from taskiq.exceptions import ResultGetError
from taskiq.message import BrokerMessage
from taskiq.receiver import Receiver

from models.base.crash_points import crash_point
from models.base.db import News
from models.jobs import gates
from models.jobs.cancelling import BELL, sweep
from models.jobs.message import Job, kinds
from models.jobs.progress import Progress
from models.jobs.store import DATABASE_AWAY, Claim, Fence, Store
from tasks.broker import BellBroker
from tasks.reporter import Reporter
from tasks.runs import RUNNERS, Attempt, Runner, Work
from tasks.settling import LINGER, RETRY_PAUSE, Settler
from tasks.world import World

log = structlog.get_logger(__name__)

#: How long a runner that was asked to stop may clean up, in seconds, before its job counts as cancelled without it.
CANCEL_GRACE: Final = 10.0
#: How often a busy worker tells the others that there is more than it can take, in seconds.
PASSING_ON: Final = 0.05


class ClaimFormatter(TaskiqFormatter):
    """Turns the id of a claimed job into the message that Taskiq runs. The row has been read already."""

    def __init__(self, world: World, running: Mapping[UUID, Attempt]) -> None:
        self._world = world
        self._running = running

    def loads(self, message: bytes) -> TaskiqMessage:
        """The Taskiq message of a running attempt: its one argument is what the runner works with."""
        attempt = self._running[UUID(bytes=message)]
        return TaskiqMessage(
            task_id=str(attempt.claim.id),
            task_name=attempt.claim.kind,
            labels={},
            args=[Work(self._world, attempt)],
            kwargs={},
        )

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Refuse: nothing is sent through Taskiq."""
        raise TypeError(
            f"{message.task_name} was kicked; ask for work with models.jobs.enqueue(session, message)"
        )


class Settling(AsyncResultBackend[Any]):
    """Where Taskiq puts a result: we settle the job's row with it."""

    def __init__(self, receiver: "JobReceiver") -> None:
        self._receiver = receiver

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        """Settle the job."""
        await self._receiver.settler.settle(self._receiver.running[UUID(task_id)], result)

    async def is_result_ready(self, task_id: str) -> bool:
        """Results are read from the job's row, not here."""
        raise ResultGetError(task_id=task_id)

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:  # noqa: ARG002 - Taskiq's signature
        """Results are read from the job's row, not here."""
        raise ResultGetError(task_id=task_id)


class JobReceiver(Receiver):
    """Claims, runs and settles the jobs of some queues, so many of each at a time."""

    def __init__(self, broker: BellBroker, world: World, slots: Mapping[str, int], worker_id: UUID) -> None:
        self.world = world
        self.slots = dict(slots)
        self.worker_id = worker_id
        self.running: dict[UUID, Attempt] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._bells = broker
        self._wake = asyncio.Event()
        #: Those of our queues that are paused or limited, and those of them that are worth asking now.
        self._gated: set[str] = set()
        self._due: set[str] = set()
        #: Keys of limits that may have room since one of their jobs has ended here.
        self._freed: set[str] = set()
        self._look_at = 0.0
        self._passed_on_at: dict[str, float] = {}
        self._insisting: set[asyncio.Task[None]] = set()
        self.cancel_grace = CANCEL_GRACE
        self.reporter = Reporter(world, self.running)
        url = world.settings.database.url
        self._claims = Store(url, worker_id, f"worker {worker_id} claims")
        self._claims.on_connect = self._listen_to_notify
        self._messages = kinds()
        self.settler = Settler(world, worker_id, self._messages, self._make_room)
        self.counts = self.settler.counts
        for message, runner in RUNNERS.items():
            for kind in (message.kind, *message.aliases):
                broker.register_task(_task(message, runner), task_name=kind)
        broker.formatter = ClaimFormatter(world, self.running)
        broker.with_result_backend(Settling(self))
        super().__init__(broker, max_async_tasks=sum(slots.values()), validate_params=False)

    # ------------------------------------------------------------ listening

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until `finish_event`, then drain: no new jobs, running ones end within the grace, the rest goes back."""
        await self.broker.startup()
        bells = asyncio.create_task(self._hear())
        flushing = asyncio.create_task(self.settler.complete_in_batches())
        reporting = asyncio.create_task(self.reporter.report())
        finishing = asyncio.create_task(finish_event.wait())
        finishing.add_done_callback(lambda _: self._wake.set())
        try:
            await self._claim_until(finish_event)
            await self._drain()
        finally:
            self.settler.close()
            self.reporter.stop()
            for task in (bells, finishing, *self._insisting):
                await _end(task)
            await asyncio.gather(flushing, reporting, return_exceptions=True)
            await self.broker.shutdown()
            await self._claims.close()
            await self.settler.store.close()

    async def _hear(self) -> None:
        async for bell in self._bells.listen():
            self._ring(bell.data.decode())

    async def _listen_to_notify(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener("jobs", self._notified)

    def _notified(self, *notice: Any) -> None:
        payload: str = notice[-1]
        if payload.startswith(BELL):
            self.cancel(UUID(payload.removeprefix(BELL)))
        else:
            self._ring(payload)

    def _ring(self, queue: str) -> None:
        self._due.add(queue)
        self._wake.set()

    async def _claim_until(self, finish_event: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not finish_event.is_set():
            self._wake.clear()
            try:
                if loop.time() >= self._look_at:
                    await self._look()
                await self._claim()
            except DATABASE_AWAY as error:
                log.warning("jobs.no_database", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_PAUSE)
                continue
            # Not even for a moment if there is something to claim: what has just begun would run before it, not meanwhile.
            if not self._wake.is_set():
                looking = loop.call_at(self._look_at, self._wake.set)
                await self._wake.wait()
                looking.cancel()
            if len(self.running) * 2 > sum(self.slots.values()):
                # Busy: let a few more slots come free, so that one round trip fills them all.
                await asyncio.sleep(LINGER)

    async def _look(self) -> None:
        """What no bell tells: times that have come, keys that have room, queues that somebody has decided about."""
        await self._claims.promote()
        await gates.wake(self._claims)
        self._gated = await gates.gated(self._claims, self.slots)
        self._due |= self._gated
        self._look_at = asyncio.get_running_loop().time() + self.world.settings.jobs.poll_seconds

    def _look_in(self, seconds: float | None) -> None:
        if seconds is not None:
            self._look_at = min(self._look_at, asyncio.get_running_loop().time() + seconds)

    async def _claim(self) -> None:
        """Fill free slots, at most half of a queue's at once: while these jobs begin, the next claim is on its way."""
        if self._freed:
            freed, self._freed = self._freed, set()
            self._due |= await gates.wake(self._claims, freed)
        due, self._due = self._due & self._gated, set()
        free = {
            queue: limit - self._busy[queue]
            for queue, limit in self.slots.items()
            if limit > self._busy[queue]
        }
        wanted = {queue: min(count, -(-self.slots[queue] // 2)) for queue, count in free.items()}
        claims: list[Claim] = []
        if plain := {queue: count for queue, count in wanted.items() if queue not in self._gated}:
            claims += await self._claims.claim(plain)
        if gated := {queue: free[queue] for queue in free.keys() & due}:
            passed = await gates.claim(self._claims, gated)
            claims += passed.claims
            self._look_in(passed.opens_in)
        await self._begin_all(claims)
        taken = Counter(claim.queue for claim in claims)
        if any(free[queue] > count >= wanted[queue] for queue, count in taken.items()):
            self._wake.set()
        if full := [queue for queue in taken if taken[queue] == free[queue]]:
            await self._pass_on(full)

    async def _begin_all(self, claims: Iterable[Claim]) -> None:
        """Begin what was claimed; what has the key of a limit, if there is room for it."""
        keyed: list[Claim] = []
        for claim in claims:
            crash_point("after a claim, before the first job begins")
            if claim.limit_key is None:
                self._begin(claim)
            else:
                keyed.append(claim)
        if keyed:
            passed = await gates.admit(self._claims, keyed)
            self._look_in(passed.opens_in)
            for claim in passed.claims:
                self._begin(claim)
            if len(passed.claims) < len(keyed):
                # Slots are free again, for jobs of other keys.
                self._wake.set()

    def _make_room(self, claim: Claim) -> None:
        """A job has ended: there may be room in what limits its like."""
        if claim.limit_key is not None:
            self._freed.add(claim.limit_key)
            self._wake.set()
        if claim.queue in self._gated:
            self._ring(claim.queue)

    async def _pass_on(self, queues: list[str]) -> None:
        """Our slots are full and there may be more: ring again, so that an idle worker comes to look.

        While we claim all the time, not each time: whoever is idle needs to hear it once.
        """
        clock = asyncio.get_running_loop().time()
        due = {queue for queue in queues if clock >= self._passed_on_at.get(queue, 0.0) + PASSING_ON}
        if due and self.world.database.tell is not None:
            self._passed_on_at |= dict.fromkeys(due, clock)
            await self.world.database.tell(News(queues=due))

    # -------------------------------------------------------------- running

    def _begin(self, claim: Claim) -> None:
        fence = Fence(claim.id, claim.attempt, self.worker_id, claim.flow_id)
        progress = Progress(claim.id, claim.attempt, claim.max_attempts, started_at=claim.started_at)
        self.running[claim.id] = Attempt(claim, fence, progress)
        self._busy[claim.queue] += 1
        self._tasks[claim.id] = asyncio.create_task(self._run(claim))

    async def _run(self, claim: Claim) -> None:
        structlog.contextvars.bind_contextvars(
            correlation_id=claim.correlation_id or str(claim.id),
            job_id=str(claim.id),
            kind=claim.kind,
            attempt=claim.attempt,
        )
        try:
            if claim.kind in self._messages and self.broker.find_task(claim.kind) is not None:
                await self.callback(claim.id.bytes)
            else:
                await self.settler.leave_to_newer(self.running[claim.id])
        except Exception:
            # Nothing may escape: a job without an outcome would hold its slot for ever.
            log.exception("job.not_settled")
        finally:
            self.reporter.last(self.running.pop(claim.id))
            self._tasks.pop(claim.id, None)
            self._busy[claim.queue] -= 1
            self._wake.set()

    async def run_task(
        self, target: Callable[..., Any], message: TaskiqMessage, ack_controller: AckController | None = None
    ) -> TaskiqResult[Any]:
        """Run one of our runners. Taskiq's own way also serves functions that are not async, have dependencies or want
        their arguments converted, at a tenth of a small job's time; middlewares that hear of errors still get it.
        """
        if self.broker.middlewares:
            return await super().run_task(target, message, ack_controller)
        began = time.monotonic()
        returned, error = None, None
        try:
            returned = await target(*message.args)
        except BaseException as raised:  # noqa: BLE001 - a cancellation too is an outcome: see `Settler.settle`
            error = raised
        return TaskiqResult(
            is_err=error is not None,
            return_value=returned,
            execution_time=time.monotonic() - began,
            error=error,
        )

    # ----------------------------------------------------------- cancelling

    def cancel(self, job_id: UUID) -> None:
        """Ask the runner of a job, if it is ours, to stop: it sees an `asyncio.CancelledError`, and may clean up."""
        attempt = self.running.get(job_id)
        if attempt is None or attempt.is_cancelled or attempt.is_settling:
            return
        attempt.is_cancelled = True
        task = self._tasks[job_id]
        task.cancel()
        insisting = asyncio.create_task(self._insist(attempt, task))
        self._insisting.add(insisting)
        insisting.add_done_callback(self._insisting.discard)

    async def _insist(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        await asyncio.wait([task], timeout=self.cancel_grace)
        if not task.done() and not attempt.is_settling:
            try:
                await self.settler.stop_waiting(attempt)
            except DATABASE_AWAY:
                attempt.is_cancelled = False  # asked again when `reconcile` looks
            else:
                task.cancel()

    # ------------------------------------------------------------- draining

    async def _drain(self) -> None:
        grace = self.world.settings.jobs.drain_seconds
        if self._tasks:
            log.info("worker.draining", running=len(self._tasks), grace_seconds=grace)
            await asyncio.wait(list(self._tasks.values()), timeout=grace)
        rest = list(self._tasks.values())
        for job, task in self._tasks.items():
            if not self.running[job].is_settling:
                task.cancel()
        if rest:
            log.warning("worker.giving_back", jobs=len(rest))
            await asyncio.wait(rest, timeout=10)

    async def reconcile(self) -> None:
        """Stop what was asked to stop while we did not hear it, and give back rows that are ours but that we do not
        run: the answer to a claim was lost on its way.

        Strays are looked at twice, because a claim that is just arriving looks the same.
        """
        async with self.world.database.transaction() as session:
            await sweep(session)
        await gates.forget(self.settler.store)
        owned = await self.settler.store.owned()
        for job, is_cancelled in owned.items():
            if is_cancelled:
                self.cancel(job)
        if before := self._strays(owned):
            await asyncio.sleep(1)
            if still := before & self._strays(await self.settler.store.owned()):
                log.warning("jobs.stray", jobs=[str(job) for job in still])
                await self.settler.store.release(list(still))

    def _strays(self, owned: Iterable[UUID]) -> set[UUID]:
        return set(owned) - self.running.keys() - self.settler.ending.keys()


def _task(message: type[Job], runner: Runner) -> Any:
    """The Taskiq task that runs `runner`, for as long as the message allows."""
    seconds = message.timeout.total_seconds()

    async def run(work: Work) -> Any:
        # Not Taskiq's label: its way to the same end takes a fifth of a small job's time.
        async with asyncio.timeout(seconds):
            return await runner(work.message(message), work)

    return run


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel until it has ended: redis-py 8 swallows a cancellation that meets one of its own timeouts."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)
