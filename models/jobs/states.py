"""The states of a job, as a drawing."""

from enum import StrEnum

from models.base.states import Moves


class JobState(StrEnum):
    """Where a job stands. `scheduled` is also how a failed attempt waits for its next one."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"


S = JobState
MOVES: Moves[JobState] = {
    S.SCHEDULED: frozenset({S.WAITING, S.CANCELLED}),
    S.WAITING: frozenset({S.ACTIVE, S.CANCELLED}),
    S.ACTIVE: frozenset({S.COMPLETED, S.SCHEDULED, S.WAITING, S.DEAD, S.CANCELLED}),
    S.COMPLETED: frozenset(),
    S.DEAD: frozenset({S.WAITING}),
    S.CANCELLED: frozenset({S.WAITING}),
}

UNFINISHED = frozenset({S.SCHEDULED, S.WAITING, S.ACTIVE})


class OnParentFailure(StrEnum):
    """What becomes of a job of a flow, and of what waits for it, if one of its parents dies or is cancelled."""

    CANCEL = "cancel"
    RUN = "run"


class FlowState(StrEnum):
    """How the jobs of a flow do, all in all. One with failures may go on."""

    OPEN = "open"
    PAUSED = "paused"
    FAILED = "failed"
    DONE = "done"


class BulkDeed(StrEnum):
    """What may be done to many jobs at once."""

    RETRY = "retry"
    CANCEL = "cancel"
    PROMOTE = "promote"
    DELETE = "delete"
    PRIORITY = "priority"


class AlertKind(StrEnum):
    """What is worth telling people who look after the jobs."""

    BACKLOG = "backlog"
    SLOW = "slow"
    FAILURES = "failures"
    DEAD_WORKER = "dead worker"
    UNKNOWN_KIND = "unknown kind"
