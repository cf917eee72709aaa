"""What may be asked of the workers about notices. `Email` and `Notification` are also types of the job API: their
fields are what its `data` holds.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Final
from uuid import UUID

from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule
from models.mail.actions import drop_letters
from models.mail.jobs import SendLetter

#: The letter that an `Email` is sent as.
LETTER: Final = "notices.message"

_Line = Annotated[str, Meta(min_length=1, max_length=200)]


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
        str, Meta(min_length=1, max_length=20_000, description="Markdown without images and HTML")
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


class ForgetNotices(Job, frozen=True):
    """Delete old notices and deliveries."""

    kind: ClassVar[str] = "notices.forget"
    priority: ClassVar[int] = 7


SCHEDULES = (Schedule("notices.forget", timedelta(days=1), ForgetNotices()),)
