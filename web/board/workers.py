"""The workers: where they are, what they have room for, what they run, and why there are so many."""

from datetime import timedelta
from typing import Final

from litestar import Response, get

from models.jobs import board, fleet
from web.board.addresses import BOARD
from web.guards import analyst
from web.pages import page
from web.params import Config, Transaction, Who

DECISIONS_SHOWN: Final = 20


@get(f"{BOARD}/workers", guards=[analyst])
async def workers(session: Transaction, visitor: Who, settings: Config) -> Response[None]:
    """Every worker that has beaten within the last hour, and the latest decisions about their number."""
    found = await board.workers(session, timedelta(seconds=settings.jobs.lease_seconds))
    decisions = await fleet.decisions(session, DECISIONS_SHOWN)
    return page("board/workers.html", visitor=visitor, workers=found, decisions=decisions)
