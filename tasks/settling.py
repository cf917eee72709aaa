"""Bringing a job's row to what came out of its runner, under the attempt's fence."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final, TypeGuard
from uuid import UUID

import msgspec
import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.away import is_away
from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.errors import Refusal, Temporary
from models.base.metrics import JOBS_RUN_SECONDS, JOBS_WAIT_SECONDS
from models.base.tracing import record
from models.jobs.actions import Failure, LostLease, bury, crowded_for, fail, snooze
from models.jobs.cancelling import lingers, stopped
from models.jobs.endings import complete_in_flows
from models.jobs.limits import slow_down
from models.jobs.message import Job
from models.jobs.queues import silence
from models.jobs.rules import in_words
from models.jobs.store import Claim, Store
from tasks.runs import Attempt, Snooze
from tasks.world import World

log = structlog.get_logger(__name__)

# Finding a labelled child takes a lock and turns each label into text.
_waits = cache(JOBS_WAIT_SECONDS.labels)
_runs = cache(JOBS_RUN_SECONDS.labels)

#: How long finished jobs wait for others, to be completed in one statement.
LINGER: Final = 0.002
RETRY_PAUSE: Final = 0.5
UNKNOWN_KIND_WAIT: Final = timedelta(seconds=30)
OF_A_NEWER_RELEASE: Final = "The worker that took it is of an older release than it."
#: For how long two releases are at work together: what is older and not understood is not understood by any.
ROLL_OUT: Final = timedelta(hours=1)
#: How long somebody who is asked too often is left alone, if they do not say.
CROWDED_WAIT: Final = timedelta(seconds=10)
#: For how long that spends no attempts of a job, since it first met it: nothing is wrong with it.
CROWDED_PATIENCE: Final = timedelta(hours=1)
#: The same for a job that works for somebody who has paid: late is better than given back.
PAID_PATIENCE: Final = timedelta(days=1)


class NotOurKind(Exception):
    """No runner of this release is for the job: it belongs to a newer one, and to a worker of that."""


class Unwritten(Exception):
    """The database refused what was to be written of an attempt's end."""


class Settler:
    """Settles what a worker has run, however long the database is away: until then the jobs are ours. What the database
    refuses to hear of an end, it hears as a failure in plain words.

    `settled` is called with each claim whose row has been brought to its end, or given back.
    """

    def __init__(
        self, world: World, worker_id: UUID, kinds: Mapping[str, type[Job]], settled: Callable[[Claim], None]
    ) -> None:
        self.counts: Counter[str] = Counter()
        #: What has ended and is not completed yet, with its result as JSON.
        self.ending: dict[UUID, tuple[Attempt, str | None]] = {}
        self.store = Store(world.settings.database.url, worker_id, f"worker {worker_id} ends")
        #: Whoever is cancelled from now on goes back untried.
        self.gives_back = False
        self._world = world
        self._kinds = kinds
        self._settled = settled
        self._flush = asyncio.Event()
        self._is_closing = False

    async def settle(self, attempt: Attempt, returned: Any, error: BaseException | None) -> None:
        """Settle an attempt. One without an error and without an end of its own is completed with others."""
        attempt.end()
        if attempt.outcome is None and error is None:
            try:
                self.ending[attempt.claim.id] = (attempt, _packed(returned))
            except TypeError as refused:
                error = Unwritten(f"Its result cannot be written: {refused}")
            else:
                self._flush.set()
                return
        await self._settle(attempt, error)

    async def _settle(self, attempt: Attempt, error: BaseException | None) -> None:
        while attempt.outcome is None:
            try:
                attempt.outcome = await self._settle_error(attempt, error)
            except LostLease:
                attempt.outcome = "lost"
                log.warning("job.lost", error=attempt.hide(str(error)))
            except Exception as refused:
                if is_away(refused):
                    log.warning("job.not_settled_yet", error=str(refused))
                    await asyncio.sleep(RETRY_PAUSE)
                    continue
                log.exception("job.end_refused")
                if attempt.is_unwritable:
                    # The row is a stray from now on, see `JobReceiver.reconcile`.
                    attempt.outcome = "lost"
                attempt.is_unwritable = True
                error = Unwritten("It failed, and what went wrong cannot be written down.")
        self._count(attempt, attempt.outcome)
        self._settled(attempt.claim)

    def _count(self, attempt: Attempt, outcome: str) -> None:
        claim = attempt.claim
        self.counts[outcome] += 1
        # Who asks has a clock of its own; a sum that falls would look like a process that began anew.
        _waits(claim.queue).observe(max((claim.started_at - claim.run_at).total_seconds(), 0.0))
        took = attempt.took().total_seconds()
        _runs(claim.queue, claim.kind, outcome).observe(took)
        is_error = outcome in {"failed", "dead", "lost"}
        record(
            claim.kind, took, is_error=is_error, job_id=str(claim.id), attempt=claim.attempt, outcome=outcome
        )

    async def _settle_error(self, attempt: Attempt, error: BaseException | None) -> str:
        claim, fence = attempt.claim, attempt.fence
        if isinstance(error, LostLease):
            raise error
        if isinstance(error, asyncio.CancelledError) and self.gives_back and not attempt.is_cancelled:
            await self.store.release(fence.job_id, fence.attempt)
            return "released"
        async with self._world.database.transaction() as session:
            if attempt.is_cancelled and not attempt.is_unwritable:
                await stopped(session, fence)
                return "cancelled"
            assert error is not None
            is_crowded = _is_crowded(error, claim)
            if (pause := await self._pause(session, attempt, error)) is not None:
                await snooze(session, fence, *pause, is_crowded=is_crowded)
                return "snoozed"
            failure = self._failure(attempt, error)
            trace = None if attempt.secrets else error
            is_final = attempt.is_unwritable or isinstance(error, Refusal | msgspec.ValidationError)
            if is_final or claim.attempt >= claim.max_attempts:
                log.error("job.dead", error=failure.error, exc_info=trace)
                await bury(session, fence, failure)
                return "dead"
            is_temporary = isinstance(error, Temporary)
            log.warning("job.failed", error=failure.error, exc_info=None if is_temporary else trace)
            wait = error.retry_after if isinstance(error, Temporary) else None
            message = self._kinds[claim.kind]
            # Who lets it run again gives it as many attempts as it had at first.
            tried = max(1, claim.attempt - max(0, claim.max_attempts - message.attempts))
            await fail(session, fence, failure, message.backoff, wait, tried=tried, is_crowded=is_crowded)
            return "failed"

    async def _pause(
        self, session: AsyncSession, attempt: Attempt, error: BaseException
    ) -> tuple[timedelta, str] | None:
        """For how long, and why, it is put off without spending its attempt; None if it has failed."""
        claim = attempt.claim
        if isinstance(error, Snooze):
            return error.wait, "What it needs was not there yet."
        if isinstance(error, NotOurKind) or (
            isinstance(error, msgspec.ValidationError) and self._is_of_a_newer_release(claim)
        ):
            return UNKNOWN_KIND_WAIT, OF_A_NEWER_RELEASE
        if _is_crowded(error, claim):
            wait = error.retry_after or CROWDED_WAIT
            # The job's row first, as gates do: who takes the gate first and waits for the row could be waited for.
            span = await crowded_for(session, attempt.fence)
            if error.is_queue_crowded:
                await silence(session, claim.queue, wait, claim.id)
            else:
                await slow_down(session, str(claim.limit_key), wait)
            whom = f"The other side of the queue {claim.queue}" if error.is_queue_crowded else claim.limit_key
            why = f"{whom} was asked too often (429)."
            is_paid = self._kinds[claim.kind].holds_money
            return (wait, why) if span < (PAID_PATIENCE if is_paid else CROWDED_PATIENCE) else None
        return None

    def _is_of_a_newer_release(self, claim: Claim) -> bool:
        """Whether it carries what a release that is just being rolled out may have added to its kind."""
        known = {one.encode_name for one in msgspec.structs.fields(self._kinds[claim.kind])}
        return bool(orjson.loads(claim.args).keys() - known) and now() - claim.created_at < ROLL_OUT

    def _failure(self, attempt: Attempt, error: BaseException) -> Failure:
        is_told = isinstance(error, Refusal | Temporary | Unwritten)
        words = str(error) or type(error).__name__
        timeout = self._kinds[attempt.claim.kind].timeout
        if isinstance(error, TimeoutError) and attempt.took() >= timeout:
            return Failure(f"It was cut off: it took longer than {in_words(timeout)}.")
        if isinstance(error, asyncio.CancelledError):
            words = "nobody had asked for it"
        trace = None if is_told else "".join(traceback.format_exception(error))[-20_000:]
        return Failure(
            attempt.hide(words if is_told else f"{type(error).__name__}: {words}"),
            trace and attempt.hide(trace),
        )

    async def stop_waiting(self, attempt: Attempt) -> None:
        """End the row of a job whose runner did not stop in time: nothing that it still writes will count."""
        try:
            async with self._world.database.transaction() as session:
                await lingers(session, attempt.fence)
        except LostLease:
            return
        attempt.outcome = "cancelled"
        log.warning("job.does_not_stop", job=str(attempt.claim.id), kind=attempt.claim.kind)

    async def complete_in_batches(self) -> None:
        """Complete what has ended without a transaction of its own, many at a time, until `close`."""
        while not self._is_closing or self.ending:
            await self._flush.wait()
            if not self._is_closing:
                await asyncio.sleep(LINGER)
            self._flush.clear()
            batch = list(self.ending.values())
            try:
                await self._complete([one for one in batch if one[0].claim.flow_id is None])
                await self._complete([one for one in batch if one[0].claim.flow_id is not None])
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("jobs.not_completed_yet", error=str(error), jobs=len(self.ending))
                self._flush.set()
                await asyncio.sleep(RETRY_PAUSE)

    async def _complete(self, batch: Sequence[tuple[Attempt, str | None]]) -> None:
        """Complete jobs that are all in flows, or none of them. If the database refuses that, one by one."""
        if not batch:
            return
        try:
            done = await self._completed(batch)
        except Exception as error:
            if is_away(error):
                raise
            if len(batch) > 1:
                for one in batch:
                    await self._complete([one])
                return
            await self._not_completed(batch[0][0], error)
            return
        for attempt, _ in batch:
            claim = attempt.claim
            del self.ending[claim.id]
            attempt.context.run(self._count, attempt, "completed" if claim.id in done else "lost")
            self._settled(claim)
        if lost := [str(one.claim.id) for one, _ in batch if one.claim.id not in done]:
            log.warning("jobs.lost", jobs=lost)

    async def _completed(self, batch: Sequence[tuple[Attempt, str | None]]) -> set[UUID]:
        claims = [(one.claim, result) for one, result in batch]
        if claims[0][0].flow_id is None:
            crash_point("before a batch of completions")
            done = await self.store.complete([(one.id, one.attempt, result) for one, result in claims])
            crash_point("after a batch of completions")
            return done
        ended = [(one.flow_id, one.id, one.attempt, result) for one, result in claims if one.flow_id]
        async with self._world.database.transaction() as session:
            return await complete_in_flows(session, self.store.worker_id, ended)

    async def _not_completed(self, attempt: Attempt, error: Exception) -> None:
        """The database refuses its result, or what follows from its end: it has failed."""
        log.warning("job.completion_refused", job=str(attempt.claim.id), error=str(error))
        refused = Unwritten(f"Its completion cannot be written: {getattr(error, 'orig', error)}")
        await asyncio.create_task(self._settle(attempt, refused), context=attempt.context)
        del self.ending[attempt.claim.id]

    def close(self) -> None:
        """Let `complete_in_batches` end when everything is completed."""
        self._is_closing = True
        self._flush.set()


def _is_crowded(error: BaseException, claim: Claim) -> TypeGuard[Temporary]:
    """Whether the other side of a key, or of a whole queue, is asked too often."""
    if not isinstance(error, Temporary):
        return False
    return error.is_queue_crowded or (error.is_crowded and claim.limit_key is not None)


def _packed(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
