"""What jobs have done to the outside world without anybody knowing whether it happened."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from litestar import Controller, Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.clock import now
from models.everything import UNSURE
from web.board.addresses import EFFECTS, place_of
from web.board.fresh import RARELY, follow
from web.guards import editor
from web.pages import page
from web.params import Templates, Transaction, Who

#: What was begun later is under way, as a rule.
GRACE: Final = timedelta(minutes=10)
#: Of each sort, the latest.
SHOWN: Final = 50


class Effects(Controller):
    """Money, letters and calls to models whose answer was lost."""

    path = EFFECTS
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who) -> Response[None]:
        """All of them, the latest first."""
        return page("board/effects.html", visitor=visitor, **await _seen(session))

    @get("/events")
    async def events(
        self, request: Request[Any, Any, Any], visitor: Who, pages: Templates
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_effects.html", _seen, every=RARELY)


async def _seen(session: AsyncSession) -> dict[str, Any]:
    found = [one for find in UNSURE for one in await find(session, now() - GRACE, SHOWN)]
    found.sort(key=lambda one: one.at or datetime.min.replace(tzinfo=UTC), reverse=True)
    return {"rows": found, "place": place_of, "shown": SHOWN}
