"""The step after a letter for whoever has a passkey, and the way to prove anew who one is."""

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import passkeys, sessions
from models.accounts.actions import sign_in_by_passkey
from models.accounts.passkeys import Place, Refused
from models.accounts.sessions import Pending
from models.base.clock import now
from models.base.errors import Invalid, NotFound
from web.accounts.forms import PasskeyAnswer
from web.accounts.onward import HOMES, PASSKEY_STEP, go_on
from web.accounts.sign_in import PRIVATE, SECRET
from web.forms import read
from web.guards import wanted_page
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

AnyRequest = Request[Any, Any, Any]


class PasskeyStep(Controller):
    """One button that asks this device for a passkey."""

    path = PASSKEY_STEP
    opt = PRIVATE

    @get()
    async def ask(self, session: Transaction, visitor: Who) -> Response[None]:
        """The button, for whoever is asked for a passkey here."""
        if await _asked(session, visitor) is None:
            return redirect(HOMES[visitor.person.role] if visitor.person else "/sign-in")
        return _asking(visitor, {})

    @post("/options", status_code=200)
    async def options(self, session: Transaction, visitor: Who, settings: Config) -> Response[bytes]:
        """What the device is to sign: made when the button is pressed, good once, for five minutes."""
        asked = await _asked(session, visitor)
        if asked is None:
            raise NotFound
        place = Place.of(settings.app.public_url)
        options = await passkeys.ask_to_use(session, asked.person.id, asked.session_id, place, now())
        return json_of(options)

    @post()
    async def prove(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Sign in, or stay signed in, with what the device has signed."""
        asked = await _asked(session, visitor)
        if asked is None or visitor.session_token is None:
            return redirect("/sign-in", notice="That took too long. Begin again with your address.")
        try:
            answer = read(PasskeyAnswer, form).credential
        except Invalid as refusal:
            return _asking(visitor, refusal.fields)
        place = Place.of(settings.app.public_url)
        used = await passkeys.use(session, asked.person, asked.session_id, answer, place=place, at=now())
        if isinstance(used, Refused):
            return _asking(visitor, {"credential": used.words})
        wanted = wanted_page(request)
        done = await sign_in_by_passkey(
            session,
            asked.person,
            intent=asked.intent or ({"path": wanted} if wanted else {}),
            user_agent=visitor.user_agent,
            ip=visitor.ip,
            at=now(),
            presented=visitor.session_token,
        )
        return go_on(request, done)


def json_of(options: str) -> Response[bytes]:
    """A ceremony's options, as the browser's own functions read them."""
    return Response(options.encode(), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _asked(session: AsyncSession, visitor: Visitor) -> Pending | None:
    """Who may use a passkey in this browser: after a letter, or signed in and asked to prove it anew."""
    if visitor.person is not None and visitor.session_id is not None:
        if await passkeys.has_passkey(session, visitor.person.id):
            return Pending(visitor.person, visitor.session_id, {})
        return None
    if visitor.session_token is None:
        return None
    return await sessions.find_pending(session, visitor.session_token, now())


def _asking(visitor: Visitor, problems: Mapping[str, str]) -> Response[None]:
    response = page(
        "accounts/passkey_step.html", visitor=visitor, status=422 if problems else 200, problems=problems
    )
    response.headers.update(SECRET)
    return response
