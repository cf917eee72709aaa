"""What the platform asks of its own workers."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from models.jobs.message import Job


class DoBulkAction(Job, frozen=True):
    """Do one deed to every job that a filter means, a chunk at a time."""

    kind: ClassVar[str] = "jobs.bulk_action"
    #: Somebody looks at its progress.
    priority: ClassVar[int] = 2
    attempts: ClassVar[int] = 20
    timeout: ClassVar[timedelta] = timedelta(minutes=30)

    bulk_id: UUID


class TellOfAlert(Job, frozen=True):
    """Tell those who look after the jobs that something is not as it should be, or that it is over."""

    kind: ClassVar[str] = "jobs.tell_of_alert"
    priority: ClassVar[int] = 1
    attempts: ClassVar[int] = 8

    alert_id: UUID
    is_over: bool
