"""Taskiq's receiver, taught to claim rows instead of trusting messages.

What `Claiming` has claimed goes through Taskiq's own callback (dependencies, middlewares, timeouts); what comes out is
settled against the row under its fence.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from taskiq import TaskiqMessage, TaskiqResult
from taskiq.acks import AckController
from taskiq.receiver import Receiver

from models.jobs import gates
from models.jobs.actions import LostLease, set_aside
from models.jobs.cancelling import BELL, sweep
from models.jobs.message import kinds
from models.jobs.progress import Progress
from models.jobs.store import SETTINGS_OF_CLAIMS, Claim, Fence, Held, Store
from tasks.broker import BellBroker
from tasks.callback import RUNNING, ClaimFormatter, Settling, task_of
from tasks.claiming import Claiming
from tasks.reporter import Reporter
from tasks.runs import RUNNERS, Attempt
from tasks.settling import NotOurKind, Settler
from tasks.timeouts import Timeouts
from tasks.world import World

log = structlog.get_logger(__name__)

#: How long a runner that was asked to stop may clean up, in seconds, before its job counts as cancelled without it.
CANCEL_GRACE: Final = 10.0
#: What waits for its own earlier run to be over here asks again after so long.
STILL_RUNNING_WAIT: Final = timedelta(seconds=5)
STILL_RUNNING: Final = "Its earlier run has not ended yet."


class JobReceiver(Receiver):
    """Claims, runs and settles the jobs of some queues, so many of each at a time."""

    def __init__(self, broker: BellBroker, world: World, slots: Mapping[str, int], worker_id: UUID) -> None:
        self.world = world
        self.slots = dict(slots)
        self.worker_id = worker_id
        self.running: dict[UUID, Attempt] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._bells = broker
        #: Those that were cancelled, have had their time to stop, and go on.
        self.lingering: set[UUID] = set()
        #: What goes on beside the jobs, each for a while.
        self._beside: set[asyncio.Task[None]] = set()
        self.cancel_grace = CANCEL_GRACE
        self.reporter = Reporter(world, self.running)
        url = world.settings.database.url
        claims = Store(url, worker_id, f"worker {worker_id} claims", SETTINGS_OF_CLAIMS)
        claims.on_connect = self._listen_to_notify
        self.claiming = Claiming(world, claims, slots, self._begin, self._put_off)
        self._messages = kinds()
        self.settler = Settler(world, worker_id, self._messages, self.claiming.make_room)
        self.counts = self.settler.counts
        timeouts = Timeouts()
        for message, runner in RUNNERS.items():
            for kind in (message.kind, *message.aliases):
                broker.register_task(task_of(message, runner, timeouts), task_name=kind)
        broker.formatter = ClaimFormatter(world)
        broker.with_result_backend(Settling(self.settler))
        super().__init__(broker, max_async_tasks=sum(slots.values()), validate_params=False)

    # ------------------------------------------------------------ listening

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until `finish_event`, then drain: no new jobs, running ones end within the grace, the rest goes back."""
        await self.broker.startup()
        bells = asyncio.create_task(self._hear())
        flushing = asyncio.create_task(self.settler.complete_in_batches())
        reporting = asyncio.create_task(self.reporter.report())
        finishing = asyncio.create_task(finish_event.wait())
        for end in (finishing, flushing, reporting):
            end.add_done_callback(lambda _: self.claiming.wake())
        try:
            await self.claiming.until(finishing, flushing, reporting)
            await self._drain()
        finally:
            self.settler.gives_back = True
            self.settler.close()
            self.reporter.stop()
            for task in (bells, finishing, *self._beside):
                await _end(task)
            ends = await asyncio.gather(flushing, reporting, return_exceptions=True)
            await self.broker.shutdown()
            await self.claiming.store.close()
            await self.settler.store.close()
        # A worker that cannot complete or report any more is none: another takes over what it has left.
        for fault in ends:
            if fault is not None:
                raise fault

    async def _hear(self) -> None:
        async for bell in self._bells.listen():
            self.claiming.ring(bell.data.decode())

    async def _listen_to_notify(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener("jobs", self._notified)

    def _notified(self, *notice: Any) -> None:
        payload: str = notice[-1]
        if payload.startswith(BELL):
            self.cancel(UUID(payload.removeprefix(BELL)))
        else:
            self.claiming.ring(payload)

    # -------------------------------------------------------------- running

    def _fence(self, claim: Claim) -> Fence:
        return Fence(claim.id, claim.attempt, self.worker_id, claim.flow_id)

    def _begin(self, claim: Claim) -> None:
        if claim.id in self.running or claim.id in self.settler.ending:
            # It was cancelled and does not stop, or we were taken for dead. Two attempts are not at work at once here.
            log.warning("job.still_running", job=str(claim.id))
            self._spawn(self._put_off(claim, STILL_RUNNING_WAIT, STILL_RUNNING))
            return
        progress = Progress(claim.id, claim.attempt, claim.max_attempts, started_at=claim.started_at)
        attempt = self.running[claim.id] = Attempt(claim, self._fence(claim), progress)
        self.claiming.take_slot(claim.queue)
        self._tasks[claim.id] = asyncio.create_task(self._run(attempt))

    async def _put_off(self, claim: Claim, wait: timedelta, why: str) -> None:
        """Give back a job that cannot begin here now."""
        try:
            async with self.world.database.transaction() as session:
                await set_aside(session, self._fence(claim), wait, why)
        except LostLease:
            log.debug("job.taken_meanwhile", job=str(claim.id))
        except Exception:
            # Then it is a stray, see `reconcile`.
            log.exception("job.not_put_off", job=str(claim.id))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _run(self, attempt: Attempt) -> None:
        attempt.is_begun = True
        RUNNING.set(attempt)
        claim, name = attempt.claim, str(attempt.claim.id)
        structlog.contextvars.bind_contextvars(
            correlation_id=claim.correlation_id or name, job_id=name, kind=claim.kind, attempt=claim.attempt
        )
        try:
            if claim.kind in self._messages and self.broker.find_task(claim.kind) is not None:
                await self.callback(name.encode())
            else:
                log.warning("job.unknown_kind")
                await self.settler.settle(attempt, None, NotOurKind(claim.kind))
        except Exception:
            # Nothing may escape: a job without an outcome would hold its slot for ever.
            log.exception("job.not_settled")
        finally:
            del self.running[claim.id], self._tasks[claim.id]
            self.lingering.discard(claim.id)
            self.claiming.free_slot(claim.queue)
            self.reporter.last(attempt)

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
        if not attempt.is_begun:
            # A task that is cancelled before its first step takes none, not even the one that frees its slot.
            return
        attempt.is_cancelled = True
        task = self._tasks[job_id]
        task.cancel()
        self._spawn(self._insist(attempt, task))

    async def _insist(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        await asyncio.wait([task], timeout=self.cancel_grace)
        if not task.done() and not attempt.is_settling:
            # Before the row says so: nobody may run it again who would not hear that it goes on here.
            self.lingering.add(attempt.claim.id)
            try:
                await self.settler.stop_waiting(attempt)
            except Exception:
                log.exception("job.not_stopped", job=str(attempt.claim.id))
                attempt.is_cancelled = False  # asked again when `reconcile` looks
                self.lingering.discard(attempt.claim.id)
            else:
                task.cancel()

    # ------------------------------------------------------------- draining

    async def _drain(self) -> None:
        grace = self.world.settings.jobs.drain_seconds
        if self._tasks:
            log.info("worker.draining", running=len(self._tasks), grace_seconds=grace)
            await asyncio.wait(list(self._tasks.values()), timeout=grace)
        self.settler.gives_back = True
        rest = list(self._tasks.values())
        for job, task in self._tasks.items():
            if not self.running[job].is_settling:
                task.cancel()
        if rest:
            log.warning("worker.giving_back", jobs=len(rest))
            await asyncio.wait(rest, timeout=10)

    async def reconcile(self) -> None:
        """Stop what was asked to stop while we did not hear it, and let go of rows that are ours but that we do not
        run: the answer to a claim was lost on its way, or the database would not hear how an attempt has ended.

        Strays are looked at twice, because a claim that is just arriving looks the same.
        """
        async with self.world.database.transaction() as session:
            await sweep(session)
        await gates.forget(self.settler.store)
        owned = await self.settler.store.owned()
        for (job, _), is_cancelled in owned.items():
            if is_cancelled:
                self.cancel(job)
        if before := self._strays(owned):
            await asyncio.sleep(1)
            if still := before & self._strays(await self.settler.store.owned()):
                log.warning("jobs.stray", jobs=[str(job) for job, _ in still])
                await self.settler.store.disown(still)

    def _strays(self, owned: Iterable[Held]) -> set[Held]:
        known = (*self.running.values(), *(attempt for attempt, _ in self.settler.ending.values()))
        return set(owned) - {(one.claim.id, one.claim.attempt) for one in known}


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel until it has ended: redis-py 8 swallows a cancellation that meets one of its own timeouts."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)
