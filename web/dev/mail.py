"""The outbox: what the product's letters look like, without sending any. On one's own machine only."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.errors import NotFound
from web.dev import letters
from web.live import Moment, stream
from web.pages import page
from web.params import KeyRing, Templates, Transaction, Who

#: A letter is markup of ours with inline styles, and pictures from where it says. It runs nothing, and sits in a
#: frame of our own page; its links lead the whole window away.
LETTER_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: http: https:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation"
)


class Outbox(Controller):
    """Letters, newest first, as they are written."""

    path = "/dev/mail"

    @get()
    async def index(
        self, session: Transaction, visitor: Who, keys: KeyRing, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """A page of letters. The first one is kept up to date."""
        found = await letters.newest(session, keys, cursor)
        return page("dev/mail.html", visitor=visitor, letters=found, is_first=cursor is None)

    @get("/live")
    async def live(
        self, request: Request[Any, Any, Any], visitor: Who, pages: Templates, keys: KeyRing
    ) -> EventSourceResponse:
        """The first page of letters, as it changes."""

        async def look(session: AsyncSession) -> Moment:
            found = await letters.newest(session, keys, None)
            return Moment(pages.render("dev/_outbox.html", visitor=visitor, letters=found))

        return stream(request, ["mail"], look, visitor=visitor)

    @get("/{letter_id:uuid}", opt={"frames": True})
    async def letter(
        self, session: Transaction, visitor: Who, keys: KeyRing, letter_id: FromPath[UUID]
    ) -> Response[None]:
        """One letter: as a phone shows it, as a computer shows it, its text, its links, its headers."""
        return page(
            "dev/letter.html", visitor=visitor, letter=await letters.open_letter(session, keys, letter_id)
        )

    @get("/{letter_id:uuid}/html", opt={"csp": LETTER_CSP, "referrer": "no-referrer"})
    async def html(
        self,
        session: Transaction,
        keys: KeyRing,
        letter_id: FromPath[UUID],
        scheme: FromQuery[str | None] = None,
    ) -> Response[str]:
        """The letter's markup, for the frames of its page."""
        letter = await letters.open_letter(session, keys, letter_id)
        if letter.html is None:
            raise NotFound
        return Response(letters.framed(letter.html, scheme), media_type="text/html")

    @get("/{letter_id:uuid}/letter.eml")
    async def source(self, session: Transaction, keys: KeyRing, letter_id: FromPath[UUID]) -> Response[bytes]:
        """The very bytes that were sent."""
        letter = await letters.open_letter(session, keys, letter_id)
        if letter.raw is None:
            raise NotFound
        name = f'attachment; filename="{letter.row.kind}-{letter_id}.eml"'
        return Response(letter.raw, media_type="message/rfc822", headers={"Content-Disposition": name})
