"""What time it is, and how it is said. Actions take the time as an argument where a rule depends on it, so tests can turn
the hands.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def day_words(at: datetime) -> str:
    """A day as people read it: `21 November 2026`."""
    return f"{at.day} {at:%B %Y}"


def moment_words(at: datetime) -> str:
    """A moment as people read it: `21 November 2026, 09:14 UTC`."""
    return f"{day_words(at)}, {at:%H:%M} UTC"
