"""What may be asked of the workers about payments, and what is asked by the clock."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule


class HandleStripeEvent(Job, frozen=True):
    """Look at what an event speaks of, and do what follows from it."""

    kind: ClassVar[str] = "payments.handle_stripe_event"
    queue: ClassVar[str] = "payments"
    holds_money: ClassVar[bool] = True
    #: Somebody may be waiting in front of "Confirming your payment".
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 12
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=3, limit=timedelta(minutes=15))
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    event_id: str


class GiveRefund(Job, frozen=True):
    """Give back the money of one refund, once."""

    kind: ClassVar[str] = "payments.give_refund"
    queue: ClassVar[str] = "payments"
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 3
    attempts: ClassVar[int] = 12
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=3, limit=timedelta(minutes=15))
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    refund_id: UUID


class ReconcileCheckouts(Job, frozen=True):
    """Look up the payments that we have heard nothing of, and ask again for what nobody works on."""

    kind: ClassVar[str] = "payments.reconcile_checkouts"
    queue: ClassVar[str] = "payments"
    timeout: ClassVar[timedelta] = timedelta(minutes=4)


class FetchMissedEvents(Job, frozen=True):
    """Fetch the events that Stripe could not deliver."""

    kind: ClassVar[str] = "payments.fetch_missed_events"
    queue: ClassVar[str] = "payments"


class ComparePayments(Job, frozen=True):
    """Compare what Stripe and we have written down of the last two days."""

    kind: ClassVar[str] = "payments.compare"
    queue: ClassVar[str] = "payments"
    priority: ClassVar[int] = 7
    timeout: ClassVar[timedelta] = timedelta(minutes=30)


class ForgetPayers(Job, frozen=True):
    """Forget whom old events speak of."""

    kind: ClassVar[str] = "payments.forget_payers"
    queue: ClassVar[str] = "payments"
    priority: ClassVar[int] = 7


SCHEDULES = (
    Schedule("payments.reconcile", timedelta(minutes=5), ReconcileCheckouts()),
    Schedule("payments.missed_events", timedelta(hours=1), FetchMissedEvents()),
    Schedule("payments.compare", timedelta(days=1), ComparePayments()),
    Schedule("payments.forget_payers", timedelta(days=1), ForgetPayers()),
)
