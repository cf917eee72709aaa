"""One's own inbox, as it fills."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.paths import is_ours
from models.notices.actions import inbox, mark_read
from models.notices.queries import notice_of, notices_of, unread
from web.guards import signed_in
from web.live import Moment, stream
from web.pages import page, redirect
from web.params import Templates, Transaction, Who

INBOX: Final = "/inbox"


class Inbox(Controller):
    """The notices of whoever is signed in."""

    path = INBOX
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """A page of notices, the latest first."""
        facts = await _facts(session, visitor.somebody.id, cursor)
        events = f"{INBOX}/events" + (f"?cursor={cursor}" if cursor else "")
        return page("notices/inbox.html", visitor=visitor, events=events, **facts)

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        pages: Templates,
        cursor: FromQuery[str | None] = None,
    ) -> EventSourceResponse:
        """The same page, whenever something comes or is read."""
        person_id = visitor.somebody.id

        async def look(session: AsyncSession) -> Moment:
            facts = await _facts(session, person_id, cursor)
            return Moment(pages.render("notices/_inbox.html", visitor=visitor, **facts))

        return stream(request, [inbox(person_id)], look, visitor=visitor)

    @post("/reading")
    async def read_all(self, session: Transaction, visitor: Who) -> Response[None]:
        """All of them are read."""
        await mark_read(session, visitor.somebody.id)
        return redirect(INBOX)

    @post("/{notice_id:uuid}/reading")
    async def read(self, session: Transaction, visitor: Who, notice_id: FromPath[UUID]) -> Response[None]:
        """One of them is read; on to where it leads."""
        notice = await notice_of(session, visitor.somebody.id, notice_id)
        await mark_read(session, visitor.somebody.id, notice_id)
        return redirect(notice.link if notice.link and is_ours(notice.link) else INBOX)


async def _facts(session: AsyncSession, person_id: UUID, cursor: str | None) -> dict[str, Any]:
    """What the template names, in two queries."""
    found = await notices_of(session, person_id, cursor or None)
    return {
        "rows": found.items,
        "unread": await unread(session, person_id),
        "first": INBOX if cursor else None,
        "more": f"{INBOX}?cursor={found.next_cursor}" if found.next_cursor else None,
    }
