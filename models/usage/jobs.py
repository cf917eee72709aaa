"""What is asked by the clock about the ledger of model calls."""

from datetime import timedelta
from typing import ClassVar

from models.jobs import Job
from models.jobs.schedules import Schedule


class GiveUpLostCalls(Job, frozen=True):
    """Close the calls whose process died on the way, so that what they reserved counts as spent and as nothing else."""

    kind: ClassVar[str] = "usage.give_up_lost_calls"
    queue: ClassVar[str] = "default"


SCHEDULES = (Schedule("usage.give_up_lost_calls", timedelta(minutes=5), GiveUpLostCalls()),)
