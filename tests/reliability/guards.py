"""What protects the jobs, and how each protection is taken away in a process of the suite: never in the product.

A suite that stays green without a guard has not tested it.
"""

import importlib
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from emails import ses
from emails.post import NotAccepted
from models.base import clock
from models.base.db import new_id
from models.jobs import actions, endings, store
from models.mail import actions as letters
from models.payments.facts import RefundFacts
from models.payments.stripe import Stripe
from tasks import receiver
from tasks.runs import RUNNERS
from tests.reliability.messages import Later


def _replaced(statement: str, part: str, other: str = "") -> str:
    assert part in statement, f"the statement has no {part!r} any more"
    return statement.replace(part, other)


def fence_of_a_finish() -> None:
    """Whoever finishes must hold the row: (id, attempt, worker)."""
    fence = "and attempt = :attempt and worker_id = :worker_id and finished_at is null"
    actions._COMPLETE = text(_replaced(actions._COMPLETE.text, fence))


def fence_of_a_batch() -> None:
    """The same for those that are completed many at a time."""
    fence = "jobs.attempt = ended.attempt and jobs.worker_id = $1 and jobs.finished_at is null"
    # PostgreSQL wants to see every parameter used.
    store.COMPLETE = _replaced(store.COMPLETE, fence, "$1::uuid is not null")  # type: ignore[misc]


def fence_of_a_flow() -> None:
    """The same for those that belong to a flow, and so are counted when they end."""
    fence = "and jobs.attempt = ended.attempt and jobs.worker_id = :worker_id\n       and jobs.finished_at is null"
    complete = text(_replaced(endings._COMPLETE.text, fence, "and cast(:worker_id as uuid) is not null"))
    endings._COMPLETE = complete.bindparams(*endings._COMPLETE._bindparams.values())


def rescue() -> None:
    """What a dead worker held is taken back."""
    actions._RESCUE = text(_replaced(actions._RESCUE.text, "j.state = 'active'", "false"))


def rescue_by_heartbeat() -> None:
    """A worker is judged by its heart, and not by how long its jobs take, as most do it."""
    actions._RESCUE = text(_replaced(actions._RESCUE.text, "w.beat_at <", "j.started_at <"))


def reconciliation() -> None:
    """Rows that a living worker holds without knowing it go back: the answer to its claim was lost."""

    async def nothing(self: object) -> None:
        """Look after no strays."""

    receiver.JobReceiver.reconcile = nothing  # type: ignore[method-assign]


def uniqueness() -> None:
    """One unfinished job for each key. The test takes its index away as well."""
    # The package has a function of the module's name.
    importlib.import_module("models.jobs.enqueue")._UNIQUE = ""  # type: ignore[attr-defined]


def key_of_a_refund() -> None:
    """Stripe gives back once for each key. Without ours its library makes one, for each call another."""
    keyed = Stripe.create_refund

    async def unkeyed(self: Stripe, *, key: str, **what: Any) -> RefundFacts:
        return await keyed(self, key=f"{key}:{new_id()}", **what)

    Stripe.create_refund = unkeyed  # type: ignore[method-assign]


def claim_of_a_letter() -> None:
    """That a letter is being sent is committed before it is, so that whoever finds it after a death has a doubt."""

    async def unclaimed(*_: object, **__: object) -> bool:
        return True

    letters.begin_sending = unclaimed


def doubt_about_a_letter() -> None:
    """SES may have taken what it did not answer to. Most take silence for a refusal, and send again."""
    ses._unanswered = lambda error: NotAccepted(str(error))


def newer_kinds() -> None:
    """Not a guard: a worker of the release before, which does not know a kind yet."""
    RUNNERS.pop(Later)


Guard = Callable[[], None]
GUARDS: dict[str, Guard] = {
    one.__name__: one
    for one in (
        fence_of_a_finish,
        fence_of_a_batch,
        fence_of_a_flow,
        rescue,
        rescue_by_heartbeat,
        reconciliation,
        uniqueness,
        key_of_a_refund,
        claim_of_a_letter,
        doubt_about_a_letter,
        newer_kinds,
    )
}


def shift_the_clock(by: timedelta) -> None:
    """Let this process believe that it is another time. PostgreSQL's clock, which leases run by, stays."""
    real = clock.now

    def shifted() -> datetime:
        return real() + by

    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is real:
            module.now = shifted  # type: ignore[attr-defined]
