"""How things went, as the shell's charts want it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from models.jobs.metrics import Point, Span
from web.lists import address

#: How far back a page looks, by the last word of its tab's address.
SPANS: Final = {Span.HOUR: "Last hour", Span.DAY: "24 hours", Span.WEEK: "7 days"}
#: How a moment is written at the foot of a chart.
LABELS: Final = {Span.HOUR: "%H:%M", Span.DAY: "%H:%M", Span.WEEK: "%-d %b, %H:%M"}


def chosen(span: str) -> Span:
    """The span that an address asks for: the last hour unless it names another one."""
    return Span.__members__.get(span.upper(), Span.HOUR)


def span_tabs(path: str, current: Span) -> list[tuple[str, str, bool, None]]:
    """A tab for each span of the page at `path`."""
    return [
        (words, address(path, span=one.name.lower()), one is current, None) for one, words in SPANS.items()
    ]


def charts(points: Sequence[Point], span: Span) -> list[dict[str, Any]]:
    """Throughput, and how long jobs waited and ran: each with a title, a unit, two series and their names.

    The present step is left out: half a minute beside whole ones looks like a fall.
    """
    points = points[:-1]
    labels = [one.at.strftime(LABELS[span]) for one in points]

    def chart(
        title: str, unit: str, names: tuple[str, str], numbers: Sequence[tuple[Any, Any]]
    ) -> dict[str, Any]:
        series = [(label, *pair) for label, pair in zip(labels, numbers, strict=True)]
        return {"title": title, "unit": unit, "names": names, "points": series}

    return [
        chart(
            "Ended", "jobs", ("done", "failed"), [(one.completed, one.failed + one.dead) for one in points]
        ),
        chart(
            "Waited", "s", ("slowest 5 %", "median"), [(_s(one.wait_p95), _s(one.wait_p50)) for one in points]
        ),
        chart("Ran", "s", ("slowest 5 %", "median"), [(_s(one.run_p95), _s(one.run_p50)) for one in points]),
    ]


def _s(span: timedelta | None) -> float | None:
    """None of a step in which no job ended: nothing took no time."""
    return round(span.total_seconds(), 2) if span is not None else None
