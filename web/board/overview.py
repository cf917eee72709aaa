"""The first page of the board: every queue and every worker, as they are now."""

from datetime import timedelta
from functools import partial
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.settings import Settings
from models.jobs import board
from models.jobs.alerts import address_of, alerts
from models.jobs.metrics import Span
from models.jobs.states import JobState
from web.board.addresses import BOARD
from web.board.charts import Drawings, Drawn, chosen, span_tabs
from web.board.fresh import follow
from web.guards import analyst
from web.lists import address
from web.pages import page
from web.params import Config, Templates, Transaction, Who


class Overview(Controller):
    """What works, what waits, and what does not go on."""

    path = BOARD
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        drawings: Drawn,
        span: FromQuery[str] = "",
    ) -> Response[None]:
        """Every queue and every worker."""
        events = address(f"{BOARD}/events", span=span)
        seen = await _seen(settings, drawings, chosen(span), session)
        return page("board/overview.html", visitor=visitor, events=events, **seen)

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        settings: Config,
        pages: Templates,
        drawings: Drawn,
        span: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as it changes."""
        seen = partial(_seen, settings, drawings, chosen(span))
        return follow(request, visitor, pages, "board/_overview.html", seen)


async def _seen(settings: Settings, drawings: Drawings, span: Span, session: AsyncSession) -> dict[str, Any]:
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    return {
        "queues": await board.queues(session, lease),
        "workers": await board.workers(session, lease),
        "dead": (await board.counts(session, [JobState.DEAD]))[JobState.DEAD],
        "alerts": await alerts(session),
        "address_of": address_of,
        "span": span.name.lower(),
        "spans": span_tabs(BOARD, span),
        "charts": await drawings.charts(session, span),
    }
