"""What is asked by the clock about accounts."""

from datetime import timedelta
from typing import ClassVar

from models.jobs import Job
from models.jobs.schedules import Schedule


class ForgetSignIns(Job, frozen=True):
    """Delete sign-in requests and sessions of long ago."""

    kind: ClassVar[str] = "accounts.forget_sign_ins"
    priority: ClassVar[int] = 7


SCHEDULES = (Schedule("accounts.forget_sign_ins", timedelta(days=1), ForgetSignIns()),)
