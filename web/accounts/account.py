"""The account page: who you are to us, and where you are signed in."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts import sessions
from models.accounts.audit import audit
from models.accounts.rules import browser_words
from models.base.clock import now
from models.base.errors import NotFound
from web import cookies
from web.cookies import CookieJar
from web.guards import RECENT, recently_signed_in, signed_in_somehow
from web.pages import page, redirect
from web.params import Transaction, Who
from web.visitor import network_of

AnyRequest = Request[Any, Any, Any]

SESSIONS: Final = "/account/sessions"
AGAIN: Final = f"{SESSIONS}/again"
ENDED: Final[dict[bool, str]] = {
    True: "That browser is signed out.",
    False: "That browser was signed out already.",
}


@post("/sign-out")
async def sign_out(request: AnyRequest, session: Transaction, visitor: Who) -> Response[None]:
    """End this browser's session. Doing it twice is doing it once."""
    if visitor.person is not None and visitor.session_id is not None:
        await sessions.revoke(session, visitor.session_id, person_id=visitor.person.id, at=now())
        await audit(session, visitor.person, "signed_out", f"person/{visitor.person.id}")
    return _gone(request, "You are signed out.")


class Account(Controller):
    """One's own account."""

    path = "/account"
    guards = [signed_in_somehow]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, visitor: Who) -> Response[None]:
        """Who you are, and where everything of yours is."""
        return page("accounts/account.html", visitor=visitor, person=visitor.person)

    @get("/sessions")
    async def where(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """The browsers that you are signed in with."""
        assert visitor.person is not None
        found = await sessions.list_of(session, visitor.person.id, now(), cursor=cursor or None)
        browsers = [
            {
                "id": row.id,
                "words": browser_words(row.user_agent),
                "network": network_of(row.ip),
                "method": row.method,
                "since": row.created_at,
                "seen": row.last_seen_at,
                "is_this": row.id == visitor.session_id,
            }
            for row in found.items
        ]
        return page(
            "accounts/sessions.html",
            visitor=visitor,
            browsers=browsers,
            first=SESSIONS if cursor else None,
            more=f"{SESSIONS}?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None,
        )

    @get("/sessions/again", guards=[recently_signed_in])
    async def prove(self) -> Response[None]:
        """Back to the list, once you have proven anew who you are: who stole a session must not end the others."""
        return redirect(SESSIONS)

    @post("/sessions/{session_id:uuid}/revocation")
    async def sign_out_one(
        self, request: AnyRequest, session: Transaction, visitor: Who, session_id: FromPath[UUID]
    ) -> Response[None]:
        """Sign one of your browsers out. Another one than this wants a sign-in within the last ten minutes."""
        assert visitor.person is not None
        if session_id != visitor.session_id and not visitor.signed_in_within(RECENT):
            return redirect(AGAIN)
        person = visitor.person
        if not await sessions.is_of(session, session_id, person.id):
            raise NotFound
        is_ended = await sessions.revoke(session, session_id, person_id=person.id, at=now())
        if is_ended:
            await audit(session, person, "session.revoked", f"person/{person.id}", session_id=str(session_id))
        if session_id == visitor.session_id:
            return _gone(request, "You are signed out.")
        return redirect(SESSIONS, notice=ENDED[is_ended])

    @post("/sessions/revocation")
    async def sign_out_everywhere(
        self, request: AnyRequest, session: Transaction, visitor: Who
    ) -> Response[None]:
        """Sign all your browsers out, this one too. Wants a sign-in within the last ten minutes."""
        assert visitor.person is not None
        if not visitor.signed_in_within(RECENT):
            return redirect(AGAIN)
        ended = await sessions.revoke_all(session, visitor.person.id, at=now())
        await audit(session, visitor.person, "sessions.revoked", f"person/{visitor.person.id}", count=ended)
        return _gone(request, "You are signed out everywhere.")


def _gone(request: AnyRequest, words: str) -> Response[None]:
    jar: CookieJar = request.app.state.jar
    response = redirect("/", notice=words)
    response.set_cookie(jar.drop(cookies.SESSION))
    response.headers["Clear-Site-Data"] = '"storage"'
    return response
