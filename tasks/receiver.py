"""Taskiq's receiver, taught to claim rows instead of trusting messages.

A bell, a NOTIFY, a free slot or a second of silence all lead to the same thing: claim. What is claimed goes
through Taskiq's own callback (dependencies, middlewares, timeouts); what comes out is settled against the row
under its fence.
"""

import asyncio
import contextlib
import traceback
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import msgspec
import orjson
import structlog
from taskiq import AckableMessage, Context, TaskiqDepends, TaskiqMessage, TaskiqResult
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.exceptions import ResultGetError
from taskiq.message import BrokerMessage
from taskiq.receiver import Receiver

from models.base.db import News
from models.base.errors import Refusal, Temporary
from models.jobs.actions import Failure, LostLease, bury, fail, snooze
from models.jobs.message import Job, kinds
from models.jobs.progress import Progress
from models.jobs.store import DATABASE_AWAY, Claim, Fence, Store
from tasks.broker import BellBroker
from tasks.reporter import Reporter
from tasks.runs import RUNNERS, Attempt, Runner, Snooze, Work
from tasks.world import World

log = structlog.get_logger(__name__)

#: How long finished jobs wait for others, to be completed in one statement.
LINGER: Final = 0.002
RETRY_PAUSE: Final = 0.5
UNKNOWN_KIND_WAIT: Final = timedelta(seconds=30)


class ClaimFormatter(TaskiqFormatter):
    """Turns the id of a claimed job into the message that Taskiq runs. The row has been read already."""

    def __init__(self, running: Mapping[UUID, Attempt], messages: Mapping[str, type[Job]]) -> None:
        self._running = running
        self._messages = messages

    def loads(self, message: bytes) -> TaskiqMessage:
        """The Taskiq message of a running attempt."""
        claim = self._running[UUID(bytes=message)].claim
        timeout = self._messages[claim.kind].timeout.total_seconds()
        return TaskiqMessage(
            task_id=str(claim.id), task_name=claim.kind, labels={"timeout": timeout}, args=[], kwargs={}
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
        await self._receiver.settle(UUID(task_id), result)

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
        self._wake = asyncio.Event()
        self._ended: list[tuple[UUID, int, str | None]] = []
        self._flush = asyncio.Event()
        self._is_draining = False
        self.counts: Counter[str] = Counter()
        self.reporter = Reporter(world, self.running)
        url = world.settings.database.url
        self._claims = Store(url, worker_id, f"worker {worker_id} claims")
        self._claims.on_connect = self._listen_to_notify
        self._ends = Store(url, worker_id, f"worker {worker_id} ends")
        self._messages = kinds()
        for message, runner in RUNNERS.items():
            for kind in (message.kind, *message.aliases):
                broker.register_task(_task(self, message, runner), task_name=kind)
        broker.formatter = ClaimFormatter(self.running, self._messages)
        broker.with_result_backend(Settling(self))
        super().__init__(broker, max_async_tasks=sum(slots.values()), validate_params=False)

    # ------------------------------------------------------------ listening

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until `finish_event`, then drain: no new jobs, running ones end within the grace, the rest goes back."""
        await self.broker.startup()
        bells = asyncio.create_task(self._hear())
        flushing = asyncio.create_task(self._complete_in_batches())
        reporting = asyncio.create_task(self.reporter.report())
        finishing = asyncio.create_task(finish_event.wait())
        finishing.add_done_callback(lambda _: self._wake.set())
        try:
            await self._claim_until(finish_event)
            await self._drain()
        finally:
            self._is_draining = True
            self._flush.set()
            self.reporter.stop()
            for task in (bells, finishing):
                await _end(task)
            await asyncio.gather(flushing, reporting, return_exceptions=True)
            await self.broker.shutdown()
            await self._claims.close()
            await self._ends.close()

    async def _hear(self) -> None:
        async for _ in self.broker.listen():
            self._wake.set()

    async def _listen_to_notify(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener("jobs", lambda *_: self._wake.set())

    async def _claim_until(self, finish_event: asyncio.Event) -> None:
        poll = self.world.settings.jobs.poll_seconds
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        while not finish_event.is_set():
            self._wake.clear()
            try:
                if loop.time() >= look_at:
                    await self._claims.promote()
                    look_at = loop.time() + poll
                await self._claim()
            except DATABASE_AWAY as error:
                log.warning("jobs.no_database", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_PAUSE)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, look_at - loop.time()))
            if len(self.running) * 2 > sum(self.slots.values()):
                # Busy: let a few more slots come free, so that one round trip fills them all.
                await asyncio.sleep(LINGER)

    async def _claim(self) -> None:
        """Fill the free slots."""
        free = {
            queue: limit - self._busy[queue]
            for queue, limit in self.slots.items()
            if limit > self._busy[queue]
        }
        if not free:
            return
        claims = await self._claims.claim(free)
        for claim in claims:
            self._begin(claim)
        taken = Counter(claim.queue for claim in claims)
        if full := [queue for queue in taken if taken[queue] == free[queue]]:
            await self._pass_on(full)

    async def _pass_on(self, queues: list[str]) -> None:
        """Our slots are full and there may be more: ring again, so that an idle worker comes to look."""
        if self.world.database.tell is not None:
            await self.world.database.tell(News(queues=set(queues)))

    # -------------------------------------------------------------- running

    def _begin(self, claim: Claim) -> None:
        fence = Fence(claim.id, claim.attempt, self.worker_id)
        progress = Progress(claim.id, claim.attempt, claim.max_attempts, started_at=claim.started_at)
        self.running[claim.id] = Attempt(claim, fence, progress)
        self._busy[claim.queue] += 1
        task = asyncio.create_task(self._run(claim), name=f"{claim.kind} {claim.id}")
        self._tasks[claim.id] = task

    async def _run(self, claim: Claim) -> None:
        structlog.contextvars.bind_contextvars(
            correlation_id=claim.correlation_id or str(claim.id),
            job_id=str(claim.id),
            kind=claim.kind,
            attempt=claim.attempt,
        )
        try:
            if claim.kind in self._messages and self.broker.find_task(claim.kind) is not None:
                await self.callback(AckableMessage(data=claim.id.bytes, ack=_acknowledged))
            else:
                await self._leave_to_newer(claim)
        except Exception:
            # Nothing may escape: a job without an outcome would hold its slot for ever.
            log.exception("job.not_settled")
        finally:
            self.reporter.last(self.running.pop(claim.id))
            self._tasks.pop(claim.id, None)
            self._busy[claim.queue] -= 1
            self._wake.set()

    async def _leave_to_newer(self, claim: Claim) -> None:
        """A kind that this release does not know belongs to a newer one: put it back for a worker that does."""
        log.warning("job.unknown_kind")
        async with self.world.database.transaction() as session:
            await snooze(session, self.running[claim.id].fence, UNKNOWN_KIND_WAIT)

    # ------------------------------------------------------------- settling

    async def settle(self, job_id: UUID, result: TaskiqResult[Any]) -> None:
        """Bring the row to what came out, however long the database is away: until then the job is ours."""
        attempt = self.running[job_id]
        if attempt.is_finished:
            self.counts["completed"] += 1
            return
        if result.error is None:
            self._ended.append((job_id, attempt.claim.attempt, _packed(result.return_value)))
            self.counts["completed"] += 1
            self._flush.set()
            return
        while True:
            try:
                await self._settle_error(attempt, result.error)
            except LostLease:
                self.counts["lost"] += 1
                log.warning("job.lost", error=str(result.error))
            except DATABASE_AWAY as error:
                log.warning("job.not_settled_yet", error=str(error))
                await asyncio.sleep(RETRY_PAUSE)
                continue
            return

    async def _settle_error(self, attempt: Attempt, error: BaseException) -> None:
        claim, fence = attempt.claim, attempt.fence
        if isinstance(error, LostLease):
            raise error
        if isinstance(error, asyncio.CancelledError):
            self.counts["released"] += 1
            await self._ends.release([fence.job_id])
            return
        async with self.world.database.transaction() as session:
            if isinstance(error, Snooze):
                self.counts["snoozed"] += 1
                await snooze(session, fence, error.wait)
                return
            failure = Failure(_words(error), _trace(error))
            is_final = (
                isinstance(error, Refusal | msgspec.ValidationError) or claim.attempt >= claim.max_attempts
            )
            if is_final:
                self.counts["dead"] += 1
                log.error("job.dead", error=failure.error, exc_info=error)
                await bury(session, fence, failure)
                return
            self.counts["failed"] += 1
            log.warning(
                "job.failed", error=failure.error, exc_info=None if isinstance(error, Temporary) else error
            )
            wait = error.retry_after if isinstance(error, Temporary) else None
            await fail(session, fence, failure, self._messages[claim.kind].backoff, wait)

    async def _complete_in_batches(self) -> None:
        """Complete what has ended without a transaction of its own, many at a time."""
        while not (self._is_draining and not self._ended and not self.running):
            await self._flush.wait()
            if not self._is_draining:
                await asyncio.sleep(LINGER)
            self._flush.clear()
            batch, self._ended = self._ended, []
            if not batch:
                if self._is_draining:
                    return
                continue
            try:
                done = await self._ends.complete(batch)
            except DATABASE_AWAY as error:
                log.warning("jobs.not_completed_yet", error=str(error), jobs=len(batch))
                self._ended = batch + self._ended
                self._flush.set()
                await asyncio.sleep(RETRY_PAUSE)
                continue
            if lost := [str(job) for job, _, _ in batch if job not in done]:
                log.warning("jobs.lost", jobs=lost)

    # ------------------------------------------------------------- draining

    async def _drain(self) -> None:
        grace = self.world.settings.jobs.drain_seconds
        if self._tasks:
            log.info("worker.draining", running=len(self._tasks), grace_seconds=grace)
            await asyncio.wait(list(self._tasks.values()), timeout=grace)
        rest = list(self._tasks.values())
        for task in rest:
            task.cancel()
        if rest:
            log.warning("worker.giving_back", jobs=len(rest))
            await asyncio.wait(rest, timeout=10)

    async def reconcile(self) -> None:
        """Give back rows that are ours but that we do not run: the answer to a claim was lost on its way.

        Looked at twice, because a claim that is just arriving looks the same.
        """
        before = await self._stray()
        if before:
            await asyncio.sleep(1)
            if still := before & await self._stray():
                log.warning("jobs.stray", jobs=[str(job) for job in still])
                await self._ends.release(list(still))

    async def _stray(self) -> set[UUID]:
        ending = {job for job, _, _ in self._ended}
        return set(await self._ends.owned()) - self.running.keys() - ending


def _task(receiver: JobReceiver, message: type[Job], runner: Runner) -> Any:
    """The Taskiq task that runs `runner`: its only argument is a dependency, for the row holds the rest."""

    def work_of(context: Annotated[Context, TaskiqDepends()]) -> Work:
        return Work(receiver.world, receiver.running[UUID(context.message.task_id)])

    async def run(work: Annotated[Work, TaskiqDepends(work_of)]) -> Any:
        return await runner(msgspec.json.decode(work.claim.args, type=message), work)

    return run


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel until it has ended: redis-py 8 swallows a cancellation that meets one of its own timeouts."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


def _packed(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


def _words(error: BaseException) -> str:
    words = str(error) or type(error).__name__
    return words if isinstance(error, Refusal | Temporary) else f"{type(error).__name__}: {words}"


def _trace(error: BaseException) -> str | None:
    if isinstance(error, Refusal | Temporary):
        return None
    return "".join(traceback.format_exception(error))[-20_000:]


def _acknowledged() -> None:
    """The row is what is acknowledged, when it is settled."""
