"""Moments by the calendar: the five fields of crontab(5), in a time zone.

On days on which clocks are changed it does as Debian's cron does: what was meant for an hour that does not exist comes
once, right after it, and what was meant for an hour that exists twice comes once, unless it comes every hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from models.base.errors import Invalid

FIELDS = 5
#: Of crontab(5).
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """A rhythm by the calendar of one place."""

    expression: str
    zone: str

    @classmethod
    def read(cls, expression: str, zone: str) -> Self:
        """The rhythm that is written so. Raises `Invalid` naming `cron` or `zone` for what is not understood."""
        parts = _NICKNAMES.get(expression.strip().lower(), expression).upper().split()
        if len(parts) != FIELDS:
            raise Invalid(
                {"cron": "Give five fields: minute, hour, day of the month, month, day of the week."}
            )
        try:
            ZoneInfo(zone)
        except (
            KeyError,
            ValueError,
            OSError,
        ) as error:  # what zoneinfo raises for unknown names, paths and folders
            raise Invalid(
                {"zone": f"{zone!r} is no time zone. Write one like Europe/Berlin, or UTC."}
            ) from error
        found = cls(" ".join(parts), zone)
        try:
            next(found.after(datetime(2024, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            is_never = _is_well(" ".join((*parts[:3], "*", *parts[4:])), zone) and _is_well(
                f"0 0 1 {parts[3]} *", zone
            )
            words = "This day never comes." if is_never else f"{error}: crontab(5) knows no such value."
            raise Invalid({"cron": words}) from error
        except StopIteration:
            raise Invalid({"cron": "This day never comes."}) from None
        return found

    def latest(self, at: datetime) -> datetime:
        """The latest of its moments that is not after `at`, in UTC."""
        return _latest(self, at.replace(second=0, microsecond=0))

    def after(self, at: datetime) -> Iterator[datetime]:
        """Its moments after `at`, in UTC, one after the other for as long as somebody asks."""
        for moment in CronSim(self.expression, at.astimezone(ZoneInfo(self.zone))):
            yield moment.astimezone(UTC)


def _is_well(expression: str, zone: str) -> bool:
    try:
        CronSim(expression, datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)))
    except CronSimError:
        return False
    return True


@lru_cache(maxsize=512)
def _latest(cron: Cron, minute: datetime) -> datetime:
    before = (minute + timedelta(minutes=1)).astimezone(ZoneInfo(cron.zone))
    found = next(CronSim(cron.expression, before, reverse=True)).astimezone(UTC)
    # In the second of two equal hours, going back passes over what came in the first of them.
    for moment in cron.after(found):
        if moment > minute:
            break
        found = moment
    return found


def next_fires(expression: str, zone: str, at: datetime, count: int = 5) -> list[datetime]:
    """When a rhythm comes next, in UTC: for people to see what they wrote. Raises `Invalid`."""
    return list(islice(Cron.read(expression, zone).after(at), count))
