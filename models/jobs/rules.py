"""The arithmetic of the engine: pure, so that it can be read and tested without a database."""

from datetime import datetime, timedelta
from typing import Final

#: What one step of priority is worth in waiting. A job with priority 5 that has waited 10 minutes longer than
#: one with priority 3 goes before it: low priorities are late, never starved.
AGING: Final = timedelta(minutes=5)

PRIORITIES: Final = range(10)


def rank(run_at: datetime, priority: int) -> datetime:
    """The sort key of claiming. Ageing costs nothing because everybody ages alike: only the difference counts."""
    if priority not in PRIORITIES:
        raise ValueError(f"priority is {priority}, and must be from 0 to 9")
    return run_at + AGING * priority
