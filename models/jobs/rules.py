"""The arithmetic of the engine: pure, so that it can be read and tested without a database."""

from datetime import datetime, timedelta
from typing import Final

#: What one step of priority is worth in waiting. A job with priority 5 that has waited 10 minutes longer than
#: one with priority 3 goes before it: low priorities are late, never starved.
AGING: Final = timedelta(minutes=5)

PRIORITIES: Final = range(10)

#: For how long whom we have asked too often is left alone, whatever they say. Then one asks again, and hears how it is: a
#: mistake of theirs must not let paid work wait for a day.
LONGEST_SILENCE: Final = timedelta(minutes=15)

#: How far each waiting job of somebody puts their next one back: as far as one step of priority.
SHARE_STEP: Final = AGING


def rank(run_at: datetime, priority: int) -> datetime:
    """The sort key of claiming. Ageing costs nothing because everybody ages alike: only the difference counts."""
    if priority not in PRIORITIES:
        raise ValueError(f"priority is {priority}, and must be from 0 to 9")
    return run_at + AGING * priority


def in_words(span: timedelta) -> str:
    """A span for a sentence, in the largest unit that tells it well: `45 seconds`, `5 minutes`, `2 hours`."""
    seconds = span.total_seconds()
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    unit, size = next((one for one in units if seconds == one[1] or seconds >= one[1] * 1.5), units[-1])
    count = round(seconds / size, 1) if seconds < 1 else round(seconds / size)
    return f"{count:g} {unit}{'' if count == 1 else 's'}"
