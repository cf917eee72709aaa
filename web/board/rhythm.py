"""Rhythms in words, as far as there are plain ones; whatever they say, the next moments stand beside them."""

import re
from datetime import timedelta
from typing import Final

from models.jobs.schedules import ScheduleView

_NAMES: Final = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")
#: By what stands in the last place of an expression, in small letters; 0 and 7 are both Sunday.
DAYS: Final = {
    "*": "every day",
    "1-5": "on weekdays",
    "mon-fri": "on weekdays",
    "0,6": "at weekends",
    "sat,sun": "at weekends",
    "7": "on Sundays",
    **{str(number): f"on {name}" for number, name in enumerate(_NAMES)},
    **{name[:3].lower(): f"on {name}" for name in _NAMES},
}
_UNITS: Final = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def in_words(schedule: ScheduleView) -> str:
    """When a schedule happens, or its expression where that is shorter."""
    if schedule.every is not None:
        return _every(schedule.every)
    return f"{_calendar(schedule.cron or '')}, {schedule.zone}"


def _every(span: timedelta) -> str:
    for unit, size in _UNITS:
        if span % size == timedelta():
            return _each(span // size, unit)
    return _each(int(span.total_seconds()), "second")


def _each(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _calendar(cron: str) -> str:
    minute, hour, *rest = cron.split()
    if rest == ["*", "*", "*"] and hour == "*":
        if step := re.fullmatch(r"\*/(\d+)", minute):
            return _each(int(step[1]), "minute")
        if minute.isdigit():
            return f"every hour at {int(minute)} past"
    if minute.isdigit() and hour.isdigit():
        day, month, weekday = rest
        time = f"at {int(hour):02}:{int(minute):02}"
        if (day, month) == ("*", "*") and weekday.lower() in DAYS:
            return f"{DAYS[weekday.lower()]} {time}"
        if day.isdigit() and (month, weekday) == ("*", "*"):
            return f"on day {int(day)} of each month {time}"
    return cron
