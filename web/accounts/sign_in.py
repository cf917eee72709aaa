"""Signing in by letter: asking for it, and proving that it arrived.

Every answer is the same for every address, whether somebody has an account with it or not.
"""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.actions import (
    WrongCode,
    ask_to_sign_in,
    confirm_code,
    confirm_link,
    is_same_browser,
    look_up_link,
    request_of,
)
from models.accounts.address import masked
from models.accounts.audit import audit_rarely
from models.accounts.passkeys import has_passkey
from models.accounts.rules import LINK_LIFE, RESEND_AFTER
from models.accounts.tables import SignInRequest
from models.base.clock import now
from models.base.errors import Invalid, TooMany
from models.base.settings import Settings
from web.accounts.forms import Asking, Proving
from web.accounts.onward import HOMES, LINK, PASSKEY_STEP, let_in
from web.cookies import CookieJar
from web.forms import read, shown
from web.guards import wanted_page
from web.limits import seconds
from web.pages import page, redirect
from web.params import Config, KeyRing, Submitted, Transaction, Who
from web.visitor import Visitor

AnyRequest = Request[Any, Any, Any]

#: Where these pages are is nobody else's business. Their forms need `same-origin`: under `no-referrer` browsers send
#: them with `Origin: null` (Fetch standard, "append a request Origin header"), like a foreign site's.
PRIVATE: Final = {"referrer": "same-origin"}
SECRET: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}

ON_ITS_WAY: Final = "The letter is on its way: we wrote it less than a minute ago."
ANOTHER: Final = "We wrote you another letter. Only the newest one works."
RUN_OUT: Final = "Your letter has run out, or was used. Enter your address for another."


class SignIn(Controller):
    """The form for an address, and the form for a code."""

    path = "/sign-in"
    opt = PRIVATE

    @get()
    async def ask(
        self, session: Transaction, visitor: Who, settings: Config, again: FromQuery[str | None] = None
    ) -> Response[None]:
        """The form for an address. `again` asks somebody who is signed in to prove it anew: by passkey, if they
        have one, and else by letter.
        """
        if visitor.person is not None:
            if again is None:
                return redirect(HOMES[visitor.person.role])
            if await has_passkey(session, visitor.person.id):
                return redirect(PASSKEY_STEP)
        email = visitor.person.email if visitor.person else ""
        return _asking(visitor, settings, {"email": email}, {})

    @post()
    async def send(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        keys: KeyRing,
        form: Submitted,
    ) -> Response[None]:
        """Write a letter, and go on to the form for its code."""
        try:
            asking = read(Asking, form)
            before = await request_of(session, visitor.browser, now())
            wanted = wanted_page(request)
            asked = await ask_to_sign_in(
                session,
                email=asking.email,
                browser=visitor.browser,
                network=visitor.network,
                user_agent=visitor.user_agent,
                keys=keys,
                public_url=settings.app.public_url,
                at=now(),
                # A second letter asks for the same as the first.
                intent={"path": wanted} if wanted else before.intent if before else None,
            )
        except Invalid as refusal:
            return _asking(visitor, settings, shown(form), refusal.fields, status=422)
        except TooMany as refusal:
            await audit_rarely(session, "visitor", "sign_in.too_many", "sign-in/limits", at=now())
            response = _asking(visitor, settings, shown(form), {"email": refusal.words}, status=429)
            response.headers["Retry-After"] = str(seconds(refusal.retry_after))
            return response
        return redirect("/sign-in/code", notice=_sent(before, asked))

    @get("/code")
    async def code(self, session: Transaction, visitor: Who, settings: Config) -> Response[None]:
        """The form for the code of the letter that this browser asked for last."""
        asked = await request_of(session, visitor.browser, now())
        if asked is None:
            return (
                redirect(HOMES[visitor.person.role])
                if visitor.person
                else redirect("/sign-in", notice=RUN_OUT)
            )
        return _proving(visitor, settings, asked, {})

    @post("/code")
    async def prove_by_code(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        keys: KeyRing,
        form: Submitted,
    ) -> Response[Any]:
        """Sign in with a code: in the browser that asked, or in one that followed the letter's link."""
        token = _link_of(request)
        here = await look_up_link(session, token, now()) if token else None
        here = here or await request_of(session, visitor.browser, now())
        try:
            proving = read(Proving, form)
        except Invalid as refusal:
            if here is None:
                return _asking(visitor, settings, {}, {"email": RUN_OUT}, status=422)
            return _proving(visitor, settings, here, refusal.fields, status=422)
        proven = await confirm_code(
            session,
            request_id=proving.request,
            code=proving.code,
            browser=visitor.browser,
            token=token,
            keys=keys,
            at=now(),
        )
        if isinstance(proven, SignInRequest):
            return await let_in(request, session, visitor, proven, "code")
        if proven.tries_left == 0 or here is None:
            return _asking(visitor, settings, {}, {"email": RUN_OUT}, status=422)
        return _proving(visitor, settings, here, {"code": _wrong(proven)}, status=422)

    @get("/confirm")
    async def confirm(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config
    ) -> Response[None]:
        """One button in the browser that asked; in any other, the form for the code of the same letter."""
        token = _link_of(request)
        asked = await look_up_link(session, token, now()) if token else None
        if asked is None:
            return redirect(HOMES[visitor.person.role]) if visitor.person else _over(visitor, settings)
        if not is_same_browser(asked, visitor.browser):
            return _proving(visitor, settings, asked, {}, is_elsewhere=True)
        response = page("accounts/confirm.html", visitor=visitor, email=masked(asked.email))
        response.headers.update(SECRET)
        return response

    @post("/confirm")
    async def prove_by_link(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config
    ) -> Response[Any]:
        """Sign in with the link that was followed, in the browser that asked for it."""
        token = _link_of(request)
        proven = (
            await confirm_link(session, token=token, browser=visitor.browser, at=now()) if token else None
        )
        if proven is not None:
            return await let_in(request, session, visitor, proven, "link")
        return redirect(HOMES[visitor.person.role]) if visitor.person else _over(visitor, settings)


class SignInLink(Controller):
    """Where a letter's link leads. Mail scanners and previews come here too, so nothing is used up."""

    path = "/sign-in/l"
    opt = {"referrer": "no-referrer"}  # noqa: RUF012 - Litestar reads it as a class attribute

    @get("/{token:str}")
    async def follow(self, request: AnyRequest, token: FromPath[str]) -> Response[None]:
        """Take the token out of the address, where history, logs and neighbours would see it."""
        jar: CookieJar = request.app.state.jar
        response = redirect("/sign-in/confirm")
        response.set_cookie(jar.make(LINK, token[:64], LINK_LIFE))
        response.headers.update(SECRET)
        return response


def _link_of(request: AnyRequest) -> str | None:
    jar: CookieJar = request.app.state.jar
    return jar.read(request, LINK)


def _sent(before: SignInRequest | None, asked: SignInRequest) -> str | None:
    if before is None or before.email != asked.email:
        return None
    return ON_ITS_WAY if before.id == asked.id else ANOTHER


def _wrong(wrong: WrongCode) -> str:
    tries = "one more try" if wrong.tries_left == 1 else f"{wrong.tries_left} more tries"
    return f"That is not the code of this letter. Look it up in the newest one; you have {tries}."


def _asking(
    visitor: Visitor,
    settings: Settings,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    *,
    status: int = 200,
) -> Response[None]:
    return page(
        "accounts/sign_in.html",
        visitor=visitor,
        status=status,
        values=values,
        problems=problems,
        minutes=LINK_LIFE.seconds // 60,
        outbox=_outbox(settings),
    )


def _proving(
    visitor: Visitor,
    settings: Settings,
    asked: SignInRequest,
    problems: Mapping[str, str],
    *,
    status: int = 200,
    is_elsewhere: bool = False,
) -> Response[None]:
    is_elsewhere = is_elsewhere or not is_same_browser(asked, visitor.browser)
    response = page(
        "accounts/code.html",
        visitor=visitor,
        status=status,
        problems=problems,
        request_id=asked.id,
        # Only whoever typed it in sees it whole.
        email=masked(asked.email) if is_elsewhere else asked.email,
        is_elsewhere=is_elsewhere,
        minutes=LINK_LIFE.seconds // 60,
        resend_seconds=RESEND_AFTER.seconds,
        outbox=_outbox(settings),
    )
    response.headers.update(SECRET)
    return response


def _over(visitor: Visitor, settings: Settings) -> Response[None]:
    response = page("accounts/link_over.html", visitor=visitor, status=410, outbox=_outbox(settings))
    response.headers.update(SECRET)
    return response


def _outbox(settings: Settings) -> str | None:
    """Where letters lie on one's own machine."""
    return "/dev/mail" if settings.app.is_local and settings.mail.way == "outbox" else None
