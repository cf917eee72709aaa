"""What may be asked of the workers about letters."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from models.jobs import Backoff, Job


class SendLetter(Job, frozen=True):
    """Send one letter, unless that was done."""

    kind: ClassVar[str] = "mail.send_letter"
    queue: ClassVar[str] = "mail"
    #: Somebody looks at their inbox for it.
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 8
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(seconds=2), factor=3, limit=timedelta(minutes=15))
    timeout: ClassVar[timedelta] = timedelta(minutes=1)

    email_id: UUID
