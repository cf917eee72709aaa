"""The work that the reliability suite asks for. Each job leaves traces, in a table without any uniqueness."""

import asyncio
import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Final, Literal

from sqlalchemy import text

from models.base.errors import Conflict, Temporary
from models.jobs import Backoff, Job
from tasks.runs import Snooze, Work, runs

QUEUE = "reliability"

#: `begun` is an effect outside: it stands whatever becomes of the job. `step` is written on the way, under the
#: attempt's fence, and `done` in the last transaction.
CREATE = (
    "create table effects (token bigint not null, effect text not null, attempt int not null,"
    " at timestamptz not null default clock_timestamp())"
)

#: How a job ends: it writes something and is completed with it; it is completed by the engine, having written nothing,
#: or something on the way; its first attempt fails, wants to come back later, or is refused for good.
Act = Literal["write", "return", "step", "fail", "snooze", "bury"]
_ENDS: Final[Mapping[str, Exception]] = {
    "fail": Temporary("no"),
    "snooze": Snooze(timedelta(0)),
    "bury": Conflict("no"),
}

_LEAVE = text("insert into effects values (:token, :effect, :attempt)")
_OTHERS = text("select count(*) from effects where token = :token and attempt > 1")


class Do(Job, frozen=True):
    """Leaves `begun`, works for a while, and ends as it is told."""

    kind: ClassVar[str] = "reliability.do"
    aliases: ClassVar[tuple[str, ...]] = ("reliability.former",)
    queue: ClassVar[str] = QUEUE
    attempts: ClassVar[int] = 50
    backoff: ClassVar[Backoff] = Backoff(timedelta(milliseconds=20), limit=timedelta(seconds=0.5))
    timeout: ClassVar[timedelta] = timedelta(seconds=120)
    token: int
    act: Act
    seconds: float


class Later(Do, frozen=True):
    """What only a newer release knows."""

    kind: ClassVar[str] = "reliability.later"
    aliases: ClassVar[tuple[str, ...]] = ()


class Overtaken(Do, frozen=True):
    """Its first attempt goes on when another one has begun: what a worker does that wakes too late."""

    kind: ClassVar[str] = "reliability.overtaken"
    aliases: ClassVar[tuple[str, ...]] = ()


class Paid(Do, frozen=True):
    """Works for somebody who has paid."""

    kind: ClassVar[str] = "reliability.paid"
    aliases: ClassVar[tuple[str, ...]] = ()
    holds_money: ClassVar[bool] = True


class Poison(Job, frozen=True):
    """Kills the worker that runs it."""

    kind: ClassVar[str] = "reliability.poison"
    queue: ClassVar[str] = QUEUE


@runs(Do)
async def do(job: Do, work: Work) -> dict[str, int] | None:
    told = {"token": job.token, "attempt": work.attempt}
    async with work.world.database.transaction() as session:
        await session.execute(_LEAVE, told | {"effect": "begun"})
    await asyncio.sleep(job.seconds)
    if isinstance(job, Overtaken) and work.attempt == 1:
        await _until_overtaken(job, work)
    if work.attempt == 1 and job.act in _ENDS:
        raise _ENDS[job.act]
    result = {"attempt": work.attempt}
    if job.act == "step":
        async with work.transaction() as session:
            await session.execute(_LEAVE, told | {"effect": "step"})
    if job.act in {"return", "step"}:
        return result
    async with work.finish(result) as session:
        await session.execute(_LEAVE, told | {"effect": "done"})
    return None


async def _until_overtaken(job: Do, work: Work) -> None:
    count = 0
    while not count:
        await asyncio.sleep(0.02)
        async with work.world.database.transaction() as session:
            count = await session.scalar(_OTHERS, {"token": job.token}) or 0


runs(Later)(do)
runs(Overtaken)(do)
runs(Paid)(do)


@runs(Poison)
async def die(job: Poison, work: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
