"""The review queue: what waits for an editor, the oldest first, as it changes."""

from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.orders.desk.queries import review_queue, waiting_for_review
from models.orders.rules import order_number
from web.guards import editor
from web.lists import address, listed
from web.live import Moment, stream
from web.pages import page
from web.params import Templates, Transaction, Who

LIST: Final = "/admin/review"


class ReviewQueue(Controller):
    """What waits for an editor."""

    path = LIST
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """A page of the queue."""
        facts = await _facts(session, cursor)
        return page(
            "orders/admin/review.html",
            visitor=visitor,
            **facts,
            events=address(f"{LIST}/events", cursor=cursor or ""),
        )

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        pages: Templates,
        cursor: FromQuery[str | None] = None,
    ) -> EventSourceResponse:
        """The same page of it, whenever an order moves."""

        async def look(session: AsyncSession) -> Moment:
            facts = await _facts(session, cursor)
            return Moment(pages.render("orders/admin/_review_queue.html", visitor=visitor, **facts))

        return stream(request, ["orders"], look, visitor=visitor)


async def _facts(session: AsyncSession, cursor: str | None) -> dict[str, Any]:
    """What the template names; three queries, however many wait."""
    waiting, oldest = await waiting_for_review(session)
    found = await review_queue(session, cursor or None)
    return {
        "waiting": waiting,
        "oldest": oldest,
        "number": order_number,
        **listed(found, LIST, cursor),
    }
