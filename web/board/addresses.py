"""Where things of the board are, and what a job is about."""

from typing import Final

BOARD: Final = "/admin/queues"
JOBS: Final = f"{BOARD}/jobs"
BULK: Final = f"{BOARD}/bulk"
FLOWS: Final = f"{BOARD}/flows"
ERRORS: Final = f"{BOARD}/errors"
SCHEDULES: Final = f"{BOARD}/schedules"
LIMITS: Final = f"{BOARD}/limits"
ALERTS: Final = f"{BOARD}/alerts"
KINDS: Final = f"{BOARD}/kinds"
WORKERS: Final = f"{BOARD}/workers"
EFFECTS: Final = f"{BOARD}/effects"


def place_of(subject: str | None) -> str | None:
    """The page of what a job is about, where there is one."""
    kind, _, name = (subject or "").partition("/")
    return f"/admin/orders/{name}" if kind == "order" else None
