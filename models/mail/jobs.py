"""What may be asked of the workers about letters."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from models.jobs import Backoff, Job
from models.jobs.schedules import Schedule


class SendLetter(Job, frozen=True):
    """Send one letter, unless that was done."""

    kind: ClassVar[str] = "mail.send_letter"
    queue: ClassVar[str] = "mail"
    #: Somebody looks at their inbox for it.
    priority: ClassVar[int] = 1
    #: About a day of them: a mail server that is down over night, or a key that somebody has to renew, costs no letter.
    #: RFC 5321, section 4.5.4.1, asks for even more patience. What is worthless by then expires by itself.
    attempts: ClassVar[int] = 40
    backoff: ClassVar[Backoff] = Backoff(limit=timedelta(hours=1))
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    email_id: UUID


class HandleMailEvent(Job, frozen=True):
    """Do what follows from what the provider told about a letter."""

    kind: ClassVar[str] = "mail.handle_event"
    queue: ClassVar[str] = "mail"
    priority: ClassVar[int] = 3
    attempts: ClassVar[int] = 8
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    event_id: str


class ConfirmTopic(Job, frozen=True):
    """Tell SNS that we do want the events of our topic."""

    kind: ClassVar[str] = "mail.confirm_topic"
    queue: ClassVar[str] = "mail"
    attempts: ClassVar[int] = 5
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    event_id: str
    token: str


class SettleLetters(Job, frozen=True):
    """Look again at letters of whose fate nobody has heard in time."""

    kind: ClassVar[str] = "mail.settle_letters"
    queue: ClassVar[str] = "mail"


class ForgetLetters(Job, frozen=True):
    """Wipe the text of old letters."""

    kind: ClassVar[str] = "mail.forget_letters"
    queue: ClassVar[str] = "mail"
    priority: ClassVar[int] = 7


SCHEDULES = (
    Schedule("mail.settle", timedelta(minutes=1), SettleLetters()),
    Schedule("mail.forget", timedelta(days=1), ForgetLetters()),
)
