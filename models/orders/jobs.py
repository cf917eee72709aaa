"""What may be asked of the workers about orders, and what is asked by the clock."""

from datetime import timedelta
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule
from models.jobs.tables import JobRow
from models.orders.states import Side
from models.orders.tables import Commission

#: What jobs that ask a language model are held to a limit by: when it asks for a pause, none of them begins.
_MODEL: Final = "model/writer"


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
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 0
    attempts: ClassVar[int] = 20

    draft_id: UUID
    #: Filled in by payments when it stores the message.
    checkout_id: UUID | None = None


class FollowPayment(Job, frozen=True):
    """Something became of the money of an order: a refund, a dispute."""

    kind: ClassVar[str] = "orders.follow_payment"
    queue: ClassVar[str] = "orders"
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 20

    #: Filled in by payments when it stores the message.
    checkout_id: UUID | None = None


class IntegrateBacklink(Job, frozen=True):
    """Place the link in the article: one generation of one order."""

    kind: ClassVar[str] = "orders.integrate_backlink"
    queue: ClassVar[str] = "orders"
    limit: ClassVar[str | None] = _MODEL
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 2
    attempts: ClassVar[int] = 3
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=2)
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    order_id: UUID
    generation: int


class WriteArticle(Job, frozen=True):
    """Write a whole article: one generation of one order."""

    kind: ClassVar[str] = "orders.write_article"
    queue: ClassVar[str] = "orders"
    limit: ClassVar[str | None] = _MODEL
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 2
    attempts: ClassVar[int] = 3
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=2)
    #: An outline and a dozen sections, some of them twice, each asked for on its own.
    timeout: ClassVar[timedelta] = timedelta(minutes=30)

    order_id: UUID
    generation: int


class WriteCommission(Job, frozen=True):
    """Write the article that an editor has asked for."""

    kind: ClassVar[str] = "orders.write_commission"
    queue: ClassVar[str] = "orders"
    limit: ClassVar[str | None] = _MODEL
    #: Customers, who have paid, go first.
    priority: ClassVar[int] = 4
    attempts: ClassVar[int] = 3
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=2)
    timeout: ClassVar[timedelta] = timedelta(minutes=30)

    commission_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """It will not be written."""
        await _end_commission(session, job_id)


class FailCommission(Job, frozen=True):
    """An editor's article could not be written: say so."""

    kind: ClassVar[str] = "orders.fail_commission"
    queue: ClassVar[str] = "orders"
    priority: ClassVar[int] = 4
    attempts: ClassVar[int] = 20

    commission_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """Nobody else would say so."""
        await _end_commission(session, job_id)


class FailGeneration(Job, frozen=True):
    """A generation has died: its order goes back to the version before, or without one fails, and the money goes back."""

    kind: ClassVar[str] = "orders.fail_generation"
    queue: ClassVar[str] = "orders"
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 20

    order_id: UUID
    generation: int


class TendReviews(Job, frozen=True):
    """Remind customers of versions that wait for them, and submit those whose time is over."""

    kind: ClassVar[str] = "orders.tend_reviews"
    queue: ClassVar[str] = "default"


class AskLinkChecks(Job, frozen=True):
    """Ask for a look at every published page that was not looked at for a day."""

    kind: ClassVar[str] = "orders.ask_link_checks"
    queue: ClassVar[str] = "default"


class CheckLink(Job, frozen=True):
    """Look whether the published page of an order shows the link, or the article, as it was sold."""

    kind: ClassVar[str] = "orders.check_link"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 7
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    order_id: UUID


class RepairLink(Job, frozen=True):
    """Put a lost link back into the text that is published now."""

    kind: ClassVar[str] = "orders.repair_link"
    queue: ClassVar[str] = "orders"
    limit: ClassVar[str | None] = _MODEL
    holds_money: ClassVar[bool] = True
    priority: ClassVar[int] = 4
    attempts: ClassVar[int] = 5
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=2)

    order_id: UUID


class MindPromises(Job, frozen=True):
    """Find orders that are later than promised, let them go first, and say so."""

    kind: ClassVar[str] = "orders.mind_promises"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 2


class TellOfMessages(Job, frozen=True):
    """Write to one side of an order about messages that it has not read yet."""

    kind: ClassVar[str] = "orders.tell_of_messages"
    queue: ClassVar[str] = "default"

    order_id: UUID
    to: Side


class ForgetDrafts(Job, frozen=True):
    """Delete drafts that were abandoned long ago."""

    kind: ClassVar[str] = "orders.forget_drafts"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 7


class CheckTruths(Job, frozen=True):
    """Look whether what must always hold does hold, and tell the admins once a day of what does not."""

    kind: ClassVar[str] = "orders.check_truths"
    queue: ClassVar[str] = "default"


async def _end_commission(session: AsyncSession, job_id: UUID) -> None:
    about = str((await session.get_one(JobRow, job_id)).subject)
    # By what it is about, for its arguments may have been edited.
    mine = (Commission.id == UUID(about.removeprefix("commission/")), Commission.finished_at.is_(None))
    ended = {"problem": "Its job was cancelled.", "finished_at": func.now()}
    await session.execute(update(Commission).where(*mine).values(ended))
    changed(session, about)


SCHEDULES = (
    Schedule("orders.tend_reviews", timedelta(minutes=10), TendReviews()),
    Schedule("orders.check_truths", timedelta(minutes=15), CheckTruths()),
    Schedule("orders.ask_link_checks", timedelta(minutes=10), AskLinkChecks()),
    Schedule("orders.mind_promises", timedelta(minutes=1), MindPromises()),
    Schedule("orders.forget_drafts", timedelta(days=1), ForgetDrafts()),
)
