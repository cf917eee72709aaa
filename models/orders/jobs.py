"""What may be asked of the workers about orders, and what is asked by the clock."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule


class CheckTarget(Job, frozen=True):
    """Look whether a draft's target answers, stays on its domain and is open to everybody."""

    kind: ClassVar[str] = "orders.check_target"
    queue: ClassVar[str] = "orders"
    #: Somebody waits in front of the form.
    priority: ClassVar[int] = 0
    attempts: ClassVar[int] = 2
    timeout: ClassVar[timedelta] = timedelta(seconds=30)

    draft_id: UUID


class CreateOrder(Job, frozen=True):
    """A draft's payment has arrived: make the order of it, or give the money back if it has one already."""

    kind: ClassVar[str] = "orders.create_order"
    queue: ClassVar[str] = "orders"
    priority: ClassVar[int] = 0
    attempts: ClassVar[int] = 20

    draft_id: UUID
    #: Filled in by payments when it stores the message.
    checkout_id: UUID | None = None


class FollowPayment(Job, frozen=True):
    """Something became of the money of an order: a refund, a dispute."""

    kind: ClassVar[str] = "orders.follow_payment"
    queue: ClassVar[str] = "orders"
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 20

    #: Filled in by payments when it stores the message.
    checkout_id: UUID | None = None


class IntegrateBacklink(Job, frozen=True):
    """Place the link in the article: one generation of one order."""

    kind: ClassVar[str] = "orders.integrate_backlink"
    queue: ClassVar[str] = "orders"
    priority: ClassVar[int] = 2
    attempts: ClassVar[int] = 3
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=2)
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    order_id: UUID
    generation: int


class FailGeneration(Job, frozen=True):
    """A generation has died: the order failed, and its money goes back."""

    kind: ClassVar[str] = "orders.fail_generation"
    queue: ClassVar[str] = "orders"
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 20

    order_id: UUID
    generation: int


class TendReviews(Job, frozen=True):
    """Remind customers of versions that wait for them, and submit those whose time is over."""

    kind: ClassVar[str] = "orders.tend_reviews"
    queue: ClassVar[str] = "default"


class CheckTruths(Job, frozen=True):
    """Look whether what must always hold does hold, and tell the admins once a day of what does not."""

    kind: ClassVar[str] = "orders.check_truths"
    queue: ClassVar[str] = "default"


SCHEDULES = (
    Schedule("orders.tend_reviews", timedelta(minutes=10), TendReviews()),
    Schedule("orders.check_truths", timedelta(minutes=15), CheckTruths()),
)
