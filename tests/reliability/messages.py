"""The work that the reliability suite asks for. Each job leaves traces, in a table without any uniqueness."""

import asyncio
import os
import signal
from datetime import timedelta
from typing import ClassVar, Literal

from sqlalchemy import text

from models.jobs import Backoff, Job
from tasks.runs import Work, runs

QUEUE = "reliability"

#: `begun` is an effect outside: it stands whatever becomes of the job. `done` is written in the last transaction.
CREATE = "create table effects (token bigint not null, effect text not null, attempt int not null)"

_LEAVE = text("insert into effects values (:token, :effect, :attempt)")


class Do(Job, frozen=True):
    """Leaves `begun`, works for a while, and leaves `done`, or writes nothing and is completed by the engine."""

    kind: ClassVar[str] = "reliability.do"
    aliases: ClassVar[tuple[str, ...]] = ("reliability.former",)
    queue: ClassVar[str] = QUEUE
    attempts: ClassVar[int] = 50
    backoff: ClassVar[Backoff] = Backoff(timedelta(milliseconds=20), limit=timedelta(seconds=0.5))
    timeout: ClassVar[timedelta] = timedelta(seconds=120)
    token: int
    act: Literal["write", "return"]
    seconds: float


class Later(Do, frozen=True):
    """What only a newer release knows."""

    kind: ClassVar[str] = "reliability.later"
    aliases: ClassVar[tuple[str, ...]] = ()


class Poison(Job, frozen=True):
    """Kills the worker that runs it."""

    kind: ClassVar[str] = "reliability.poison"
    queue: ClassVar[str] = QUEUE


@runs(Do)
async def do(job: Do, work: Work) -> dict[str, int] | None:
    async with work.world.database.transaction() as session:
        await session.execute(_LEAVE, {"token": job.token, "effect": "begun", "attempt": work.attempt})
    await asyncio.sleep(job.seconds)
    result = {"attempt": work.attempt}
    if job.act == "return":
        return result
    async with work.finish(result) as session:
        await session.execute(_LEAVE, {"token": job.token, "effect": "done", "attempt": work.attempt})
    return None


runs(Later)(do)


@runs(Poison)
async def die(job: Poison, work: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
