"""Trouble ordered through the control API: for webhooks to come, and for API calls to come.

Held in memory on purpose: a restart is a fresh start for trouble, never for money.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class FaultKind(StrEnum):
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    LOST_ANSWER = "lost_answer"
    DROPPED_CONNECTION = "dropped_connection"
    SLOW = "slow"


@dataclass(slots=True)
class Fault:
    """Of the next calls whose method and path begin like this, each `every`-th goes wrong, until `count` have.

    `rate_limited` (429) and `server_error` (500) do nothing else. `lost_answer` and `dropped_connection`
    do the work, keep its result, and answer with 502 or not at all. `slow` holds the call, and its
    idempotency key, for `seconds`.
    """

    kind: FaultKind
    method: str
    path: str
    count: int
    seconds: float
    every: int = 1
    seen: int = 0


@dataclass(slots=True)
class WebhookTrouble:
    """`duplicate` and `drop` count events to come; `delay` and `jitter` last until changed.

    With `types`, only events whose type begins with one of these are touched.
    """

    duplicate: int = 0
    drop: int = 0
    delay: timedelta = timedelta()
    jitter: timedelta = timedelta()
    types: tuple[str, ...] = ()

    def touches(self, event_type: str) -> bool:
        return not self.types or event_type.startswith(self.types)

    def take_drop(self) -> bool:
        self.drop -= (taken := self.drop > 0)
        return taken

    def take_copies(self) -> int:
        self.duplicate -= (taken := self.duplicate > 0)
        return 2 if taken else 1

    def postponement(self) -> timedelta:
        return self.delay + self.jitter * random.random()  # noqa: S311  chaos, not cryptography


@dataclass(slots=True)
class Trouble:
    webhooks: WebhookTrouble = field(default_factory=WebhookTrouble)
    calls: list[Fault] = field(default_factory=list)
    refund_statuses: list[str] = field(default_factory=list)
    """How the next refunds come out instead of `succeeded`, oldest first."""

    def take_fault(self, method: str, path: str) -> Fault | None:
        for fault in self.calls:
            if fault.method in {"*", method} and path.startswith(fault.path):
                fault.seen += 1
                if fault.seen % fault.every:
                    continue
                fault.count -= 1
                if fault.count <= 0:
                    self.calls.remove(fault)
                return fault
        return None

    def take_refund_status(self) -> str:
        return self.refund_statuses.pop(0) if self.refund_statuses else "succeeded"

    def end(self) -> None:
        self.webhooks = WebhookTrouble()
        self.calls.clear()
        self.refund_statuses.clear()
