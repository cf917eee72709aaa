"""What may be asked of the workers about notices. `Email` and `Notification` are also types of the job API: their
fields are what its `data` holds.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Final
from uuid import UUID

from msgspec import Meta
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.rules import VISIBLE
from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule
from models.jobs.tables import JobRow
from models.mail.actions import drop_letters
from models.mail.jobs import SendLetter
from models.notices.states import DeliveryState
from models.notices.tables import Delivery

#: The letter that an `Email` is sent as.
LETTER: Final = "notices.message"

_Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=VISIBLE)]


class Email(Job, frozen=True):
    """Write a letter to an address, and send it."""

    kind: ClassVar[str] = "notices.email"
    queue: ClassVar[str] = SendLetter.queue
    #: It sends its letter itself, with the patience that every letter has.
    attempts: ClassVar[int] = SendLetter.attempts
    backoff: ClassVar[Backoff] = SendLetter.backoff
    timeout: ClassVar[timedelta] = SendLetter.timeout

    to: Annotated[str, Meta(min_length=3, max_length=254, description="One e-mail address")]
    subject: _Line
    body: Annotated[
        str,
        Meta(
            min_length=1, max_length=20_000, pattern=VISIBLE, description="Markdown without images and HTML"
        ),
    ]

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """The letter, if it is written and not sent."""
        await drop_letters(session, f"job/{job_id}", [LETTER])


class Notification(Job, frozen=True):
    """Put a notice into a person's inbox, and announce it to other systems."""

    kind: ClassVar[str] = "notices.notification"
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    title: _Line
    body: Annotated[str, Meta(max_length=2_000, description="Plain text")] = ""
    link: Annotated[str, Meta(max_length=500, description="A path of this site, beginning with /")] | None = (
        None
    )
    to: Annotated[str, Meta(max_length=254, description="The address of a person; without it, yourself")] = ""


class DeliverWebhook(Job, frozen=True):
    """Send one event to one endpoint: eight attempts over a day."""

    kind: ClassVar[str] = "notices.deliver"
    queue: ClassVar[str] = "webhooks"
    attempts: ClassVar[int] = 8
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=5), factor=6, limit=timedelta(hours=12))
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    delivery_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """It is on its way no more, and can be sent again."""
        await _give_up_without(session, job_id)


class FailDelivery(Job, frozen=True):
    """The job of a delivery has died, and not of what its receiver said: say that it failed."""

    kind: ClassVar[str] = "notices.fail_delivery"
    queue: ClassVar[str] = DeliverWebhook.queue
    attempts: ClassVar[int] = 20

    delivery_id: UUID

    @classmethod
    async def take_back(cls, session: AsyncSession, job_id: UUID) -> None:
        """Nobody else would say so."""
        await _give_up_without(session, job_id)


class ForgetNotices(Job, frozen=True):
    """Delete old notices and deliveries."""

    kind: ClassVar[str] = "notices.forget"
    priority: ClassVar[int] = 7


async def give_up(session: AsyncSession, delivery_id: UUID) -> None:
    """A delivery has failed, unless it has come to its end."""
    on_its_way = (Delivery.id == delivery_id, Delivery.state == DeliveryState.WAITING)
    await session.execute(update(Delivery).where(*on_its_way).values(state=DeliveryState.FAILED))


async def _give_up_without(session: AsyncSession, job_id: UUID) -> None:
    job = await session.get_one(JobRow, job_id)
    # By what it is about, for its arguments may have been edited.
    await give_up(session, UUID(str(job.subject).removeprefix("delivery/")))


SCHEDULES = (Schedule("notices.forget", timedelta(days=1), ForgetNotices()),)
