"""What may be asked of the workers: a message is a kind, a queue, and ids. Rows stay home."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

MAX_ARGS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after a failed attempt: `first * factor ** (attempt - 1)`, at most `limit`, then jitter.

    The jitter is the upper half ("equal jitter"): it spreads a crowd of retries and still keeps the order of
    magnitude that a person was told.
    """

    first: timedelta = timedelta(seconds=2)
    factor: float = 2
    limit: timedelta = timedelta(minutes=15)

    def wait(self, attempt: int, luck: float) -> timedelta:
        """The pause after `attempt` (from 1) has failed; `luck` is a random number from 0 to 1."""
        # Compared as numbers: the power of a late attempt is longer than a timedelta can be.
        grown = min(self.factor ** (attempt - 1), self.limit / self.first)
        return self.first * grown * (0.5 + luck / 2)


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every message. Subclasses add the ids that their runner needs.

    `kind` is written into rows that outlive any release: it is never renamed, only added to `aliases`.
    `priority` runs from 0 (first) to 9; a job that has waited `rules.AGING` passes one that is a step above.
    """

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 5
    attempts: ClassVar[int] = 3
    #: How long to wait after a failed attempt, or a function that tells it of the attempt's number, from 1.
    backoff: ClassVar[Backoff | Callable[[int], timedelta]] = Backoff()
    timeout: ClassVar[timedelta] = timedelta(minutes=5)
    #: It works for somebody who has paid: its jobs may be tried again, and never be cancelled or removed.
    holds_money: ClassVar[bool] = False
    #: What its jobs are held to a limit by together, unless whoever asks says otherwise: see `limits`.
    limit: ClassVar[str | None] = None
    #: Fields that are sealed in the row, and shown nowhere.
    secrets: ClassVar[tuple[str, ...]] = ()

    def args(self) -> dict[str, Any]:
        """The message's fields as plain JSON values, without its secrets."""
        built = self._built()
        return {name: built[name] for name in built.keys() - self.secrets} if self.secrets else built

    def args_json(self) -> bytes:
        """`args` as they are written into a row."""
        # In one step where nothing is left out: a bulk of jobs is asked for at the speed of this.
        return msgspec.json.encode(self.args() if self.secrets else self)

    def secret_args(self) -> dict[str, Any]:
        """The fields that are nobody's business, as plain JSON values."""
        built = self._built()
        return {name: built[name] for name in self.secrets}

    def packed(self) -> dict[str, Any]:
        """The message with its kind, to be stored and asked for later."""
        if self.secrets:
            raise TypeError(f"{self.kind} has secrets, and would be stored with them in the open")
        return {"kind": self.kind, "args": self.args()}

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """Undo what such a job has begun, in the transaction that cancels it. Most leave nothing half done."""

    def _built(self) -> dict[str, Any]:
        built: dict[str, Any] = msgspec.to_builtins(self, builtin_types=())
        return built

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Self:
        """The message from a row's arguments; raise `msgspec.ValidationError` if they do not fit."""
        return msgspec.convert(args, cls, strict=False)


def kinds() -> dict[str, type[Job]]:
    """Every kind that the loaded modules define, with its aliases."""
    found: dict[str, type[Job]] = {}
    rest = list(Job.__subclasses__())
    while rest:
        one = rest.pop()
        rest += one.__subclasses__()
        for kind in (one.kind, *one.aliases):
            if found.setdefault(kind, one) is not one:
                raise TypeError(
                    f"two messages share the kind {kind!r}: {found[kind].__name__} and {one.__name__}"
                )
    return found


def unpack(packed: Mapping[str, Any]) -> Job:
    """The message that `Job.packed` stored; raise KeyError if no loaded module defines its kind."""
    return kinds()[packed["kind"]].read(packed["args"])
