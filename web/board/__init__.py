"""The board: queues, jobs and workers, for the people who mind them. At `/admin/queues`.

Analysts look, and are not shown what jobs carry unless `BOARD_ANALYSTS_SEE_PAYLOADS` is set. Editors let jobs run
again, hold them back and pause queues. Admins also change what is asked of the workers: arguments, new jobs,
everything that matches, limits, schedules.
"""

from typing import Any, Final

from web.board.alerts import Alerts
from web.board.asking import Asked
from web.board.bulk import Bulk
from web.board.effects import Effects
from web.board.failures import Failures
from web.board.flow import Flow
from web.board.flows import Flows
from web.board.job import OneJob
from web.board.jobs import Jobs
from web.board.kinds import Kinds
from web.board.limits import Limits
from web.board.overview import Overview
from web.board.queue import Queue
from web.board.schedules import Schedules
from web.board.workers import Workers

__all__ = ["handlers"]

handlers: Final[list[Any]] = [
    Overview,
    Queue,
    Jobs,
    OneJob,
    Asked,
    Bulk,
    Flow,
    Flows,
    Failures,
    Kinds,
    Workers,
    Schedules,
    Limits,
    Alerts,
    Effects,
]
