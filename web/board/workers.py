"""The workers: where they are, what they have room for, what they run, and why there are so many."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from litestar import Controller, Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.settings import Settings
from models.jobs import board, fleet
from web.board.addresses import WORKERS
from web.board.fresh import follow
from web.guards import analyst
from web.pages import page
from web.params import Config, Templates, Transaction, Who

DECISIONS_SHOWN: Final = 20


class Workers(Controller):
    """Who works, and who decided that."""

    path = WORKERS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who, settings: Config) -> Response[None]:
        """Every worker that has beaten within the last hour, and the latest decisions about their number."""
        return page("board/workers.html", visitor=visitor, **await _seen(settings, session))

    @get("/events")
    async def events(
        self, request: Request[Any, Any, Any], visitor: Who, settings: Config, pages: Templates
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_workers.html", partial(_seen, settings))


async def _seen(settings: Settings, session: AsyncSession) -> dict[str, Any]:
    return {
        "workers": await board.workers(session, timedelta(seconds=settings.jobs.lease_seconds)),
        "decisions": await fleet.decisions(session, DECISIONS_SHOWN),
    }
