"""What protects the jobs, and how each protection is taken away in a process of the suite: never in the product.

A suite that stays green without a guard has not tested it. One lock is no guard: the dispatcher's saves work. It can be
lost at any moment without a word, so nothing rests on it; slots that only move forward, rows that are skipped while somebody
else has them, and one open alert for each trouble are why all is well in the fault that takes it away.
"""

import importlib
import os
import runpy
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
from models.jobs import actions, cancelling, endings, gates, schedules, store
from models.jobs.schedules import Schedule
from models.mail import actions as letters
from models.payments import inbox
from models.payments.facts import RefundFacts
from models.payments.stripe import Stripe
from tasks import dispatcher, receiver, runs
from tasks.llm.errors import CallFailed
from tasks.world import World
from tests.reliability.messages import Later

HOUR = timedelta(hours=1)
_HOLDS = "jobs.attempt = ended.attempt and jobs.worker_id = $1 and jobs.finished_at is null"


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
    # PostgreSQL wants to see every parameter used.
    store.COMPLETE = _replaced(store.COMPLETE, _HOLDS, "$1::uuid is not null")  # type: ignore[misc]


def fence_of_a_flow() -> None:
    """The same for those that belong to a flow, and so are counted when they end."""
    endings._COMPLETE = _replaced(endings._COMPLETE, _HOLDS, "$1::uuid is not null")  # type: ignore[misc]


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
    actions._LOOK_FOR_LOST = _without(actions._LOOK_FOR_LOST, "j.state = 'active'", "false")


def rescue_by_heartbeat() -> None:
    """A worker is judged by its heart, and not by how long its jobs take, as most do it."""
    actions._LOOK_FOR_LOST = _without(actions._LOOK_FOR_LOST, "w.beat_at <", "j.started_at <")
    actions._TAKE_BACK = _without(actions._TAKE_BACK, "w.beat_at <", "j.started_at <")


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


def doubt_about_a_call() -> None:
    """The same of a model, which was perhaps paid for what nobody heard."""

    def unpaid(_: Exception, kind: str, said: str) -> CallFailed:
        return CallFailed(kind, said, may_be_charged=False)

    importlib.import_module("tasks.llm.providers")._passing = unpaid  # type: ignore[attr-defined]


def patience_of_the_dispatcher() -> None:
    """One that has just begun to act takes nobody for dead before everybody has had a lease to be heard of again."""
    begin = dispatcher.Dispatcher.__init__

    def impatient(self: dispatcher.Dispatcher, world: World, known: tuple[Schedule, ...]) -> None:
        begin(self, world, known)
        self._patient_until = 0.0

    dispatcher.Dispatcher.__init__ = impatient  # type: ignore[assignment, method-assign]


def slot_of_a_schedule() -> None:
    """Whoever fires moves the slot forward, and asks for nothing if it is there already."""
    schedules._ADVANCE = _without(schedules._ADVANCE, "job_schedules.slot < excluded.slot and")
    schedules._ADVANCE_OWN = _without(schedules._ADVANCE_OWN, "slot < :slot and")


def key_of_an_event() -> None:
    """An event of Stripe is written down once for each id. The test takes its constraint away as well.

    No payment is booked twice without it, for those are moved by compare-and-set; but each time it is told, an event is
    handled anew.
    """
    inbox._WRITE_DOWN = _replaced(inbox._WRITE_DOWN, "on conflict (id) do nothing")  # type: ignore[misc]


def lock_of_the_dispatcher() -> None:
    """Not a guard, see above: one dispatcher acts, and the others wait."""
    dispatcher.DISPATCHER_LOCK = os.getpid()  # type: ignore[attr-defined]


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
        doubt_about_a_call,
        patience_of_the_dispatcher,
        slot_of_a_schedule,
        key_of_an_event,
        lock_of_the_dispatcher,
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


if __name__ == "__main__":
    # A web process without one.
    GUARDS[sys.argv[1]]()
    runpy.run_module("web", run_name="__main__", alter_sys=True)
