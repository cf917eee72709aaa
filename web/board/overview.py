"""The first page of the board: every queue and every worker, as they are now."""

from datetime import timedelta
from typing import Any, Final

from litestar import Controller, Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.settings import Settings
from models.jobs import board
from models.jobs.alerts import alerts
from models.jobs.metrics import Span, history
from models.jobs.states import JobState
from web.board.addresses import BOARD
from web.board.charts import charts
from web.guards import analyst
from web.live import Moment, stream
from web.pages import page
from web.params import Config, Templates, Transaction, Who

#: The page looks again so often, however much happens: what changes fifty times a second is read as quickly as
#: what changes twice, and nothing has to tell it.
EVERY: Final = 1.0


class Overview(Controller):
    """What works, what waits, and what does not go on."""

    path = BOARD
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, session: Transaction, visitor: Who, settings: Config) -> Response[None]:
        """Every queue and every worker."""
        return page("board/overview.html", visitor=visitor, **await _seen(session, settings))

    @get("/events")
    async def events(
        self, request: Request[Any, Any, Any], visitor: Who, settings: Config, pages: Templates
    ) -> EventSourceResponse:
        """The same, as it changes."""

        async def look(session: AsyncSession) -> Moment:
            return Moment(
                pages.render("board/_overview.html", visitor=visitor, **await _seen(session, settings))
            )

        return stream(request, (), look, visitor=visitor, every=EVERY)


async def _seen(session: AsyncSession, settings: Settings) -> dict[str, Any]:
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    return {
        "queues": await board.queues(session, lease),
        "workers": await board.workers(session, lease),
        "dead": (await board.counts(session, [JobState.DEAD]))[JobState.DEAD],
        "alerts": await alerts(session),
        "throughput": charts(await history(session, Span.HOUR), Span.HOUR)[0],
    }
