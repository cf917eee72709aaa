"""Flows and batches: how far each of them is."""

from functools import partial
from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.jobs.flows import flows
from models.jobs.states import FlowState
from web.board.addresses import FLOWS, place_of
from web.board.fresh import follow
from web.guards import analyst
from web.lists import address, listed, tabs_of
from web.pages import page
from web.params import Templates, Transaction, Who

STATES: Final = {
    None: "All",
    FlowState.OPEN: "In progress",
    FlowState.PAUSED: "Paused",
    FlowState.FAILED: "With failures",
    FlowState.DONE: "Done",
}


class Flows(Controller):
    """Those in a state, or all of them, the latest first."""

    path = FLOWS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, show: FromQuery[str] = "", cursor: FromQuery[str] = ""
    ) -> Response[None]:
        """A page of them."""
        chosen = _chosen(show)
        return page(
            "board/flows.html",
            visitor=visitor,
            tabs=tabs_of(FLOWS, STATES, chosen),
            events=address(f"{FLOWS}/events", show=show, cursor=cursor),
            **await _seen(chosen, cursor, session),
        )

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        pages: Templates,
        show: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_flows.html", partial(_seen, _chosen(show), cursor))


def _chosen(show: str) -> FlowState | None:
    return next((one for one in FlowState if one.value == show), None)


async def _seen(chosen: FlowState | None, cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await flows(session, state=chosen, cursor=cursor or None)
    rows = listed(found, FLOWS, cursor or None, show=chosen.value if chosen else "")
    return {"place": place_of, "is_narrowed": chosen is not None, **rows}
