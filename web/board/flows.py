"""Flows and batches: how far each of them is."""

from typing import Final

from litestar import Response, get
from litestar.params import FromQuery

from models.jobs.flows import flows
from models.jobs.states import FlowState
from web.board.addresses import FLOWS, place_of
from web.guards import analyst
from web.lists import address, listed
from web.pages import page
from web.params import Transaction, Who

STATES: Final = {
    None: "All",
    FlowState.OPEN: "In progress",
    FlowState.PAUSED: "Paused",
    FlowState.FAILED: "With failures",
    FlowState.DONE: "Done",
}


@get(FLOWS, guards=[analyst])
async def all_flows(
    session: Transaction, visitor: Who, show: FromQuery[str] = "", cursor: FromQuery[str | None] = None
) -> Response[None]:
    """Those in a state, or all of them, the latest first."""
    chosen = next((one for one in FlowState if one.value == show), None)
    found = await flows(session, state=chosen, cursor=cursor or None)
    tabs = [
        (words, address(FLOWS, show=one.value if one else ""), one is chosen, None)
        for one, words in STATES.items()
    ]
    return page(
        "board/flows.html",
        visitor=visitor,
        tabs=tabs,
        place=place_of,
        is_narrowed=chosen is not None,
        **listed(found, FLOWS, cursor, show=chosen.value if chosen else ""),
    )
