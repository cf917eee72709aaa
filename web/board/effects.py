"""What jobs have done to the outside world without anybody knowing whether it happened."""

from datetime import UTC, datetime, timedelta
from typing import Final

from litestar import Response, get

from models.base.clock import now
from models.everything import UNSURE
from web.board.addresses import EFFECTS, place_of
from web.guards import editor
from web.pages import page
from web.params import Transaction, Who

#: What was begun later is under way, as a rule.
GRACE: Final = timedelta(minutes=10)
#: Of each sort, the latest.
SHOWN: Final = 50


@get(EFFECTS, guards=[editor])
async def unsure_effects(session: Transaction, visitor: Who) -> Response[None]:
    """Money, letters and calls to models whose answer was lost, the latest first."""
    found = [one for find in UNSURE for one in await find(session, now() - GRACE, SHOWN)]
    found.sort(key=lambda one: one.at or datetime.min.replace(tzinfo=UTC), reverse=True)
    return page("board/effects.html", visitor=visitor, rows=found, place=place_of, shown=SHOWN)
