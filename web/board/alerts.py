"""What is, or was, not as it should be with the jobs."""

from dataclasses import replace

from litestar import Response, get
from litestar.params import FromQuery

from models.jobs.alerts import alerts, past_alerts
from web.board.addresses import ALERTS
from web.guards import analyst
from web.lists import listed
from web.pages import page
from web.params import Transaction, Who


@get(ALERTS, guards=[analyst])
async def all_alerts(
    session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
) -> Response[None]:
    """The alerts that are open, then those that are over."""
    found = await past_alerts(session, cursor or None)
    if not cursor:
        found = replace(found, items=[*await alerts(session), *found.items])
    return page("board/alerts.html", visitor=visitor, **listed(found, ALERTS, cursor))
