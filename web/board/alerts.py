"""What is, or was, not as it should be with the jobs."""

from litestar import Response, get

from models.jobs.alerts import alerts
from web.board.addresses import BOARD
from web.guards import analyst
from web.pages import page
from web.params import Transaction, Who


@get(f"{BOARD}/alerts", guards=[analyst])
async def all_alerts(session: Transaction, visitor: Who) -> Response[None]:
    """The alerts that are open, then the latest of those that are over."""
    rows = [*await alerts(session, is_open=True), *await alerts(session, is_open=False)]
    return page("board/alerts.html", visitor=visitor, rows=rows)
