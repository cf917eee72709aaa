"""Messages and runners that exist only for the engine's tests."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from sqlalchemy import text

from models.base.errors import Conflict, Temporary
from models.jobs import Backoff, Job
from tasks.runs import Snooze, Work, runs

#: Where runners leave their effects; made by the fixture `effects`.
CREATE = "create table effects (id bigint generated always as identity, job uuid, attempt int, worker uuid, words text)"


class Play(Job, frozen=True):
    """Does what `act` says."""

    kind: ClassVar[str] = "test.play"
    queue: ClassVar[str] = "test"
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(milliseconds=20))
    timeout: ClassVar[timedelta] = timedelta(seconds=120)
    act: str
    seconds: float = 0


class Mourn(Job, frozen=True):
    """Asked for when a Play has died."""

    kind: ClassVar[str] = "test.mourn"
    queue: ClassVar[str] = "test"
    name: str


def think_it_over(attempt: int) -> timedelta:
    return timedelta(minutes=10 * attempt)


class Impatient(Job, frozen=True):
    """Has a tenth of a second, and longer to think it over each time."""

    kind: ClassVar[str] = "test.impatient"
    queue: ClassVar[str] = "test"
    attempts: ClassVar[int] = 2
    timeout: ClassVar[timedelta] = timedelta(seconds=0.1)

    backoff: ClassVar[Callable[[int], timedelta]] = think_it_over


_SNOOZED: set[UUID] = set()

_LEAVE = text("insert into effects (job, attempt, worker, words) values (:job, :attempt, :worker, :words)")


async def _go_on(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)


@runs(Play)
async def play(job: Play, work: Work) -> dict[str, int] | None:
    match job.act:
        case "count":
            async with work.finish({"answer": 42}) as session:
                await session.execute(_LEAVE, _mine(work, "done"))
        case "sleep":
            await asyncio.sleep(job.seconds)
            async with work.finish() as session:
                await session.execute(_LEAVE, _mine(work, "done"))
        case "freeze":
            time.sleep(job.seconds)  # noqa: ASYNC251 - a runner that blocks the loop is what is tested
            async with work.finish() as session:
                await session.execute(_LEAVE, _mine(work, "done"))
        case "block":
            time.sleep(job.seconds)  # noqa: ASYNC251 - as above, and it ends before anybody else has a turn
        case "return":
            return {"answer": 42}
        case "hiccup" if work.attempt < 3:
            raise Temporary("not yet", timedelta(milliseconds=30))
        case "too many":
            raise Temporary("429", timedelta(seconds=60), is_crowded=True)
        case "queue too many":
            raise Temporary("429", timedelta(seconds=60), is_queue_crowded=True)
        case "tidy":
            try:
                await asyncio.sleep(job.seconds)
            except asyncio.CancelledError:
                async with work.transaction() as session:
                    await session.execute(_LEAVE, _mine(work, "tidied up"))
                raise
        case "deaf":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(job.seconds)
            await asyncio.sleep(job.seconds)
        case "unstoppable":
            await _go_on(job.seconds)
        case "fault":
            raise ZeroDivisionError("by zero")
        case "refuse":
            raise Conflict("it is too late for that")
        case "snooze" if work.job_id not in _SNOOZED:
            _SNOOZED.add(work.job_id)
            raise Snooze(timedelta(milliseconds=50))
        case "die":
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        case "talk":
            for step in range(1, 4):
                work.step(step, 3, f"step {step}")
                work.log(f"line {step}")
                await asyncio.sleep(0.3)
    return None


@runs(Mourn)
async def mourn(job: Mourn, work: Work) -> None:
    async with work.finish() as session:
        await session.execute(_LEAVE, _mine(work, f"mourned {job.name}"))


@runs(Impatient)
async def be_impatient(job: Impatient, work: Work) -> None:
    await asyncio.sleep(60)


def _mine(work: Work, words: str) -> dict[str, object]:
    return {
        "job": work.job_id,
        "attempt": work.attempt,
        "worker": work._attempt.fence.worker_id,
        "words": words,
    }
