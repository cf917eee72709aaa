"""How things went, as the shell's charts want it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from litestar.di import NamedDependency
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.jobs.metrics import Point, Span, edition, history, history_of_kinds
from web.lists import address
from web.pages import Pages

Found = TypeVar("Found")

#: How far back a page looks, by the last word of its tab's address.
SPANS: Final = {Span.HOUR: "Last hour", Span.DAY: "24 hours", Span.WEEK: "7 days"}
#: How a moment is written at the foot of a chart.
LABELS: Final = {Span.HOUR: "%H:%M", Span.DAY: "%H:%M", Span.WEEK: "%-d %b, %H:%M"}


class Drawings:
    """How things went, read and drawn once for everybody who looks: it is written once a minute, and each page that is
    open looks once a second.
    """

    def __init__(self, pages: Pages) -> None:
        self.template = pages.environment.get_template("board/charts.html")
        self._edition: tuple[str, datetime] | None = None
        self._kept: dict[tuple[Any, ...], Any] = {}

    async def charts(self, session: AsyncSession, span: Span, queue: str | None = None) -> Markup:
        """The charts of one queue, or of all."""

        async def draw() -> Markup:
            points = await history(session, span, queue=queue)
            return Markup(self.template.render(charts=charts(points, span)))  # noqa: S704 - the template escapes

        return await self._once(session, ("charts", span, queue), draw)

    async def kinds(self, session: AsyncSession, span: Span) -> dict[str, Point]:
        """The span as each kind went."""
        return await self._once(session, ("kinds", span), lambda: history_of_kinds(session, span))

    async def _once(
        self, session: AsyncSession, key: tuple[Any, ...], make: Callable[[], Awaitable[Found]]
    ) -> Found:
        written = await edition(session)
        if written is None:
            return await make()
        current = written, now().replace(second=0, microsecond=0)
        if current != self._edition:
            self._edition, self._kept = current, {}
        # What was begun for an edition stays with it, whatever comes meanwhile.
        kept = self._kept
        if key not in kept:
            kept[key] = await make()
        found: Found = kept[key]
        return found


#: What a handler asks for as `drawings`.
Drawn: TypeAlias = NamedDependency[Drawings]


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
    """None of a step in which no job ended: nothing took no time. Whole seconds are written without decimals."""
    if span is None:
        return None
    seconds = round(span.total_seconds(), 2)
    return int(seconds) if seconds.is_integer() else seconds
