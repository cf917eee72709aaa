"""The workers: where they are, what they have room for, and what they run."""

from datetime import timedelta

from litestar import Response, get

from models.jobs import board
from web.board.addresses import BOARD
from web.guards import analyst
from web.pages import page
from web.params import Config, Transaction, Who


@get(f"{BOARD}/workers", guards=[analyst])
async def workers(session: Transaction, visitor: Who, settings: Config) -> Response[None]:
    """Every worker that has beaten within the last hour."""
    found = await board.workers(session, timedelta(seconds=settings.jobs.lease_seconds))
    return page("board/workers.html", visitor=visitor, workers=found)
