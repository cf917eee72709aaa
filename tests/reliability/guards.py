"""What protects the jobs, and how each protection is taken away in a process of the suite: never in the product.

A suite that stays green without a guard has not tested it. Three are not here, because nothing is done twice without one
of them alone: behind the slot of a schedule stands the dispatcher's lock and the job's unique key, behind the dispatcher's
lock that slot and rows that are skipped while somebody else has them, behind the key of Stripe's event the job's unique
key and moves that are compare-and-set.
"""

import importlib
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, text

from emails import ses
from emails.post import NotAccepted
from models.base import clock
from models.base.db import new_id
from models.jobs import actions, cancelling, endings, gates, store
from models.mail import actions as letters
from models.payments.facts import RefundFacts
from models.payments.stripe import Stripe
from tasks import receiver, runs
from tests.reliability.messages import Later

HOUR = timedelta(hours=1)


def _replaced(statement: str, part: str, other: str = "") -> str:
    assert part in statement, f"the statement has no {part!r} any more"
    return statement.replace(part, other)


def _without(statement: TextClause, part: str, other: str = "") -> TextClause:
    rest = text(_replaced(statement.text, part, other))
    return rest.bindparams(*(one for name, one in statement._bindparams.items() if name in rest._bindparams))


def fence_of_a_finish() -> None:
    """Whoever finishes must hold the row: (id, attempt, worker)."""
    fence = "and attempt = :attempt and worker_id = :worker_id and finished_at is null"
    actions._COMPLETE = _without(actions._COMPLETE, fence)


def fence_of_a_batch() -> None:
    """The same for those that are completed many at a time."""
    fence = "jobs.attempt = ended.attempt and jobs.worker_id = $1 and jobs.finished_at is null"
    # PostgreSQL wants to see every parameter used.
    store.COMPLETE = _replaced(store.COMPLETE, fence, "$1::uuid is not null")  # type: ignore[misc]


def fence_of_a_flow() -> None:
    """The same for those that belong to a flow, and so are counted when they end."""
    fence = "and jobs.attempt = ended.attempt and jobs.worker_id = :worker_id\n       and jobs.finished_at is null"
    endings._COMPLETE = _without(endings._COMPLETE, fence, "and cast(:worker_id as uuid) is not null")


def fence_of_a_failure() -> None:
    """The same for those that failed, or want to come back later."""
    fence = "and attempt = :attempt and worker_id = :worker_id and finished_at is null"
    actions._AGAIN = _without(actions._AGAIN, fence)


def fence_of_a_burial() -> None:
    """The same for those that are dead."""
    fence = "and attempt = :attempt and worker_id = :worker_id and finished_at is null"
    actions._BURY = _without(actions._BURY, fence)


def fence_of_a_step() -> None:
    """The same for what is written on the way."""
    runs.Work.transaction = lambda self: self.world.database.transaction()  # type: ignore[method-assign]


def rescue() -> None:
    """What a dead worker held is taken back."""
    actions._RESCUE = _without(actions._RESCUE, "j.state = 'active'", "false")


def rescue_by_heartbeat() -> None:
    """A worker is judged by its heart, and not by how long its jobs take, as most do it."""
    actions._RESCUE = _without(actions._RESCUE, "w.beat_at <", "j.started_at <")


def reconciliation() -> None:
    """Rows that a living worker holds without knowing it go back: the answer to its claim was lost."""

    async def nothing(self: object) -> None:
        """Look after no strays."""

    receiver.JobReceiver.reconcile = nothing  # type: ignore[method-assign]


def uniqueness() -> None:
    """One unfinished job for each key. The test takes its index away as well."""
    # The package has a function of the module's name.
    importlib.import_module("models.jobs.enqueue")._UNIQUE = ""  # type: ignore[attr-defined]


def lock_of_a_gate() -> None:
    """Whoever counts how many run under a limit is the only one who does."""
    gates._LOCK = "select from unnest($1::text[]) as gates (name)"  # type: ignore[misc]


def refusal_for_money() -> None:
    """What works for somebody who has paid is not cancelled."""
    cancelling.refuse_held = lambda job: None  # type: ignore[attr-defined]
    cancelling._CANCEL = _without(cancelling._CANCEL, "and not is_held")


def mark_of_a_cancellation() -> None:
    """What was asked to stop is not begun again when it comes back by another way."""
    cancelling._CANCEL = _without(cancelling._CANCEL, "then 'cancel' end", "then null end")


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
    runs.RUNNERS.pop(Later)


Guard = Callable[[], None]
GUARDS: dict[str, Guard] = {
    one.__name__: one
    for one in (
        fence_of_a_finish,
        fence_of_a_batch,
        fence_of_a_flow,
        fence_of_a_failure,
        fence_of_a_burial,
        fence_of_a_step,
        rescue,
        rescue_by_heartbeat,
        reconciliation,
        uniqueness,
        lock_of_a_gate,
        refusal_for_money,
        mark_of_a_cancellation,
        key_of_a_refund,
        claim_of_a_letter,
        doubt_about_a_letter,
        newer_kinds,
    )
}


def shift_the_clock(by: timedelta) -> None:
    """Let this process believe that it is another time. PostgreSQL's clock, which leases run by, stays."""
    real, shift = clock.now, by

    def shifted() -> datetime:
        return real() + shift

    def jump(number: int, _: object) -> None:
        nonlocal shift
        shift += HOUR if number == signal.SIGUSR1 else -HOUR

    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is real:
            module.now = shifted  # type: ignore[attr-defined]
    signal.signal(signal.SIGUSR1, jump)
    signal.signal(signal.SIGUSR2, jump)
