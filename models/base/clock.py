"""What time it is. Actions take the time as an argument where a rule depends on it, so tests can turn the hands."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
