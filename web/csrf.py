"""Forms that other sites send in our visitors' names are refused, in three ways that fail independently:
by where the browser says the request comes from, by a token that only our pages carry, and by SameSite cookies.

OWASP's Cross-Site Request Forgery Prevention cheat sheet calls the token a "signed double-submit cookie bound to
the session". The pages are gzipped with the token inside; BREACH does not reach it, because SameSite=Lax keeps
the cookies, and so the token, out of everything that another site can make a browser fetch again and again.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from models.base.crypto import same
from models.base.errors import Forbidden
from web import forms
from web.bearer import API, bearer_of
from web.guards import SignInWanted
from web.visitor import stranger

log = structlog.get_logger(__name__)

FIELD: Final = "_csrf_token"
HEADER: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class StaleForm(Forbidden):
    """One of our own pages sent it, from before its browser signed in or out. `written` is what would be a pity to
    lose: the prose among what was typed.
    """

    def __init__(self, written: Sequence[str]) -> None:
        super().__init__("This page was open for too long, or you signed in or out elsewhere.")
        self.written = written


class CsrfCheck(ASGIMiddleware):
    """Refuses unsafe requests that our own pages did not send. Webhooks opt out with `opt={"csrf": False}`."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Check an unsafe request, and let it on to the next layer or raise `Forbidden`."""
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        # A program that shows a token has no cookies that another site could make it send.
        is_checked = request.route_handler.opt.get("csrf", True) and bearer_of(request) is None
        if request.method not in SAFE and is_checked:
            if request.url.path.startswith(API) and stranger(request).session_token is None:
                raise SignInWanted
            try:
                _check_origin(request)
                await _check_token(request)
            except Forbidden:
                log.warning("web.form_refused", route=scope.get("path_template"))
                raise
        await next_app(scope, receive, send)


def _check_origin(request: Request[Any, Any, Any]) -> None:
    """Both headers are written by the browser and cannot be set by a page. Old browsers send neither."""
    public = _origin(request.app.state.settings.app.public_url)
    origin = request.headers.get("origin")
    if origin is not None and _origin(origin) != public:
        raise Forbidden(f"This was sent from another address. Open {public} and try again there.")
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden(f"This was sent by another site. Open {public} and try again there.")


async def _check_token(request: Request[Any, Any, Any]) -> None:
    visitor = stranger(request)
    token: object = request.headers.get(HEADER)
    if token is None and request.content_type[0] == forms.URLENCODED:
        token = next(iter((await forms.submitted(request)).get(FIELD, ())), None)
    if visitor.is_new_browser and visitor.session_token is None:
        raise Forbidden(
            "Your browser did not send our cookie. Allow cookies for this site, reload and try again."
        )
    takes_files = request.content_type[0] == forms.MULTIPART and request.route_handler.opt.get("uploads")
    if token is None and takes_files:
        token = (await request.form()).get(FIELD)
    if not isinstance(token, str) or not same(token.encode(), visitor.csrf.encode()):
        if request.url.path.startswith(API):
            raise Forbidden(f"The header {HEADER} does not carry this session's form token.")
        if takes_files:
            await (await request.form()).close()
        form: forms.FormData = request.scope["state"].get("form", {})
        raise StaleForm([one for values in form.values() for one in values if " " in one.strip()])


def _origin(url: str) -> str:
    """Scheme, host and port as the `Origin` header writes them (RFC 6454 §6.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
