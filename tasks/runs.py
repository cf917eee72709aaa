"""One message, one runner: the decorator that joins them, and what a runner is given to work with."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import msgspec
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crash_points import crash_point
from models.jobs.actions import complete, hold
from models.jobs.flows import Parent, parents_of
from models.jobs.message import Job
from models.jobs.progress import LINES_SHOWN, Line, Progress
from models.jobs.store import Claim, Fence
from tasks.world import World

Result = dict[str, Any] | None
J = TypeVar("J", bound=Job)
Runner = Callable[[Any, "Work"], Awaitable[Result]]

RUNNERS: dict[type[Job], Runner] = {}

#: Rows that one transaction of `Work.forget` takes.
FORGOTTEN_AT_ONCE: Final = 5000


class Snooze(Exception):
    """Come back after `wait`, without spending an attempt: what was waited for is not there yet."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"snoozed for {wait}")
        self.wait = wait


@dataclass(slots=True)
class Attempt:
    """What the worker knows of one running job, shared between its runner, its receiver and its reporter."""

    claim: Claim
    fence: Fence
    progress: Progress
    new_lines: list[Line] = field(default_factory=list)
    is_dirty: bool = False
    #: Those who look have heard that it runs.
    is_shown: bool = False
    #: Set once the row says how it ended, by a transaction of the runner's own or because its time to stop was up.
    outcome: str | None = None
    is_begun: bool = False
    is_cancelled: bool = False
    is_settling: bool = False
    #: The database has refused to hear how it ended.
    is_unwritable: bool = False
    #: What was sealed in the row: it must not get into errors and logs.
    secrets: tuple[str, ...] = ()
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    #: Where logs and traces find whose words these are, for what is said of it after it has ended.
    context: Context = field(default_factory=Context)

    def took(self) -> timedelta:
        """How long it has been running, or ran, by this machine's own clock."""
        return timedelta(seconds=(self.ended or time.monotonic()) - self.began)

    def end(self) -> None:
        """It runs no more: what follows is settling."""
        self.is_settling, self.ended, self.context = True, time.monotonic(), copy_context()

    def hide(self, words: str) -> str:
        """The words without anything that was sealed, and as PostgreSQL takes them: no NUL, no half of a surrogate pair."""
        for secret in self.secrets:
            words = words.replace(secret, "•••")
        if words.isprintable():
            return words
        return (
            words.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        )


class Work:
    """A runner's hands: the world, transactions that only count while the job is still ours, and progress."""

    def __init__(self, world: World, attempt: Attempt) -> None:
        self.world = world
        self._attempt = attempt

    @property
    def claim(self) -> Claim:
        """The row as it was claimed."""
        return self._attempt.claim

    def message(self, kind: type[J]) -> J:
        """What was asked for, its secrets opened. Raises `msgspec.ValidationError` if it does not fit the message."""
        claim = self.claim
        if claim.secret is None:
            return msgspec.json.decode(claim.args, type=kind)
        secret: dict[str, Any] = orjson.loads(self.world.keys.unseal(claim.secret))
        self._attempt.secrets = tuple(value for value in secret.values() if isinstance(value, str) and value)
        return kind.read(orjson.loads(claim.args) | secret)

    @property
    def job_id(self) -> UUID:
        """The job's id."""
        return self._attempt.claim.id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._attempt.claim.attempt

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure now is the last one."""
        return self._attempt.claim.attempt >= self._attempt.claim.max_attempts

    async def parents(self) -> dict[str, Parent]:
        """What became of the jobs of the flow that this one has waited for, by the names of their steps."""
        async with self.world.database.transaction() as session:
            return await parents_of(session, self.job_id)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A short transaction on the way. Raises `LostLease`, and writes nothing, once the job is no longer ours."""
        async with self.world.database.transaction() as session:
            await hold(session, self._attempt.fence)
            yield session

    async def forget(self, some: Callable[[AsyncSession, datetime, int], Awaitable[int]]) -> None:
        """Have what is old deleted until nothing is left, in short transactions: `some` takes a moment and how many at
        most, and says how many there were.
        """
        while True:
            async with self.transaction() as session:
                if await some(session, now(), FORGOTTEN_AT_ONCE) < FORGOTTEN_AT_ONCE:
                    return

    @asynccontextmanager
    async def finish(self, result: Result = None) -> AsyncIterator[AsyncSession]:
        """The last transaction: what it writes, what it asks for and the job's completion are committed together."""
        crash_point("after the work, before its transaction")
        async with self.world.database.transaction() as session:
            yield session
            await complete(session, self._attempt.fence, result)
            crash_point("in the last transaction, before its commit")
        crash_point("after the last transaction")
        self._attempt.outcome = "completed"

    def step(self, done: int, total: int, words: str) -> None:
        """Say how far we are: `done` of `total` steps, and in words what is being done now."""
        progress = self._attempt.progress
        progress.done, progress.total, progress.words = done, total, self._attempt.hide(words)
        self._attempt.is_dirty = True

    def log(self, line: str) -> None:
        """Add a line to the job's log, which operators read and, for orders, customers."""
        entry = Line(now(), self._attempt.hide(line))
        self._attempt.new_lines.append(entry)
        self._attempt.progress.lines = [*self._attempt.progress.lines, entry][-LINES_SHOWN:]
        self._attempt.is_dirty = True


def runs(
    message: type[J],
) -> Callable[[Callable[[J, Work], Awaitable[Result]]], Callable[[J, Work], Awaitable[Result]]]:
    """Join a message with the function that does what it asks. A second runner for one message is a mistake."""

    def join(runner: Callable[[J, Work], Awaitable[Result]]) -> Callable[[J, Work], Awaitable[Result]]:
        if RUNNERS.setdefault(message, cast("Runner", runner)) is not runner:
            raise TypeError(f"{message.__name__} has two runners: {RUNNERS[message]!r} and {runner!r}")
        return runner

    return join
