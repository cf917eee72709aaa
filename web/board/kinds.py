"""How each kind of job does: what became of them, and how long they waited and ran."""

from functools import partial
from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from web.board.addresses import KINDS
from web.board.charts import Drawings, Drawn, chosen, span_tabs
from web.board.fresh import follow
from web.guards import analyst
from web.lists import address
from web.pages import page
from web.params import Templates, Transaction, Who

#: The columns of numbers, each by what `Point` calls it: an address sorts by that, the largest first.
COLUMNS: Final = {
    "completed": "Done",
    "failed": "Failed",
    "dead": "Dead",
    "wait_p50": "Waited, p50",
    "wait_p95": "Waited, p95",
    "run_p50": "Ran, p50",
    "run_p95": "Ran, p95",
}


class Kinds(Controller):
    """The kinds of which something was asked for or ended lately."""

    path = KINDS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        drawings: Drawn,
        span: FromQuery[str] = "",
        sort: FromQuery[str] = "",
    ) -> Response[None]:
        """Each of them, by its name or by one of its numbers."""
        events = address(f"{KINDS}/events", span=span, sort=sort)
        return page(
            "board/kinds.html", visitor=visitor, events=events, **await _seen(drawings, span, sort, session)
        )

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        pages: Templates,
        drawings: Drawn,
        span: FromQuery[str] = "",
        sort: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_kinds.html", partial(_seen, drawings, span, sort))


async def _seen(drawings: Drawings, span: str, sort: str, session: AsyncSession) -> dict[str, Any]:
    current = chosen(span)
    rows = sorted((await drawings.kinds(session, current)).items())
    if sort in COLUMNS:
        # Of a kind of which no job has ended there are no times: it comes last.
        rows.sort(key=lambda row: ((number := getattr(row[1], sort)) is not None, number), reverse=True)
    columns = [
        {"name": name, "label": label, "is_numeric": True, "href": address(KINDS, span=span, sort=name)}
        | ({"sorted": "descending"} if name == sort else {})
        for name, label in COLUMNS.items()
    ]
    return {
        "rows": rows,
        "columns": columns,
        "by_name": address(KINDS, span=span),
        "is_by_name": sort not in COLUMNS,
        "spans": span_tabs(KINDS, current),
    }
