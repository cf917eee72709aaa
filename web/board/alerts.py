"""What is, or was, not as it should be with the jobs."""

from dataclasses import replace
from functools import partial
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.jobs.alerts import address_of, alerts, past_alerts
from web.board.addresses import ALERTS
from web.board.fresh import follow
from web.guards import analyst
from web.lists import address, listed
from web.pages import page
from web.params import Templates, Transaction, Who


class Alerts(Controller):
    """The alerts that are open, then those that are over."""

    path = ALERTS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who, cursor: FromQuery[str] = "") -> Response[None]:
        """A page of them."""
        return page(
            "board/alerts.html",
            visitor=visitor,
            events=address(f"{ALERTS}/events", cursor=cursor),
            **await _seen(cursor, session),
        )

    @get("/events")
    async def events(
        self, request: Request[Any, Any, Any], visitor: Who, pages: Templates, cursor: FromQuery[str] = ""
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_alerts.html", partial(_seen, cursor))


async def _seen(cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await past_alerts(session, cursor or None)
    if not cursor:
        found = replace(found, items=[*await alerts(session), *found.items])
    return {"address_of": address_of, **listed(found, ALERTS, cursor or None)}
