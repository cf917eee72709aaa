"""Answers that people read: whole pages, fragments of them, and ways to other pages.

`page()` and `fragment()` are rendered while the request's transaction is still open, so a template that fails is a
page that was not made: nothing is committed.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Litestar, Request, Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from litestar.response.base import ASGIResponse

from models.accounts.states import Role
from models.base.paths import is_ours
from web import cookies
from web.cookies import CookieJar
from web.shell.tags import TableTags
from web.static_files import Assets
from web.visitor import BROWSER_KEPT_FOR, Visitor, stranger

WEB: Final = Path(__file__).parent
NOTICE_KEPT_FOR: Final = timedelta(minutes=1)
#: What a notice begins with, on its way, that says why something was not done.
REFUSAL: Final = "!"

_csrf: ContextVar[str] = ContextVar("csrf_token")


@lru_cache(maxsize=4)
def _environment(assets: Assets, is_reloading: bool) -> Environment:
    """Every template of every part, compiled once for all applications in this process."""
    environment = Environment(
        loader=FileSystemLoader([WEB / "templates", *sorted(WEB.glob("*/templates"))]),
        extensions=[TableTags],
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=is_reloading,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Macros are imported without the page's context and see only globals; the token is the one thing they need of
    # the request.
    environment.globals |= {"asset": assets.url, "csrf_token": _csrf.get}
    return environment


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the main navigation, shown to people with `role` (None: to everybody)."""

    label: str
    href: str
    role: Role | None = None


class Pages:
    """Every template of `web`, and what the frame of a page shows whatever the page is."""

    def __init__(
        self,
        assets: Assets,
        navigation: Sequence[Entry] = (),
        *,
        is_test_mode: bool = True,
        is_degraded: Callable[[], bool] = lambda: False,
        is_reloading: bool = False,
    ) -> None:
        self.navigation = navigation
        self.is_test_mode = is_test_mode
        self.is_degraded = is_degraded
        self.environment = _environment(assets, is_reloading)

    def render(
        self, template: str, *, visitor: Visitor, path: str = "", notice: str = "", **context: Any
    ) -> str:
        """The text of a template. Pages and fragments of streams both come from here. `notice` as `redirect` left it."""
        person = visitor.person
        frame = {
            "person": None
            if person is None
            else {"email": person.email, "role": person.role.value, "unread": visitor.unread},
            "is_test_mode": self.is_test_mode,
            "degraded": self.is_degraded(),
            "notice": notice.removeprefix(REFUSAL),
            "is_refusal": notice.startswith(REFUSAL),
            "nav": self._navigation(visitor, path),
        }
        token = _csrf.set(visitor.csrf)
        try:
            return self.environment.get_template(template).render(page=frame, visitor=visitor, **context)
        finally:
            _csrf.reset(token)

    def _navigation(self, visitor: Visitor, path: str) -> list[tuple[str, str, bool]]:
        """The entries for this visitor. The one that `path` lies deepest in is the current one."""
        shown = [one for one in self.navigation if one.role is None or visitor.has_role(one.role)]
        around = [one.href for one in shown if path == one.href or path.startswith(f"{one.href}/")]
        current = max(around, key=len, default=None)
        return [(one.label, one.href, one.href == current) for one in shown]


class _Rendered(Response[None]):
    """A template that becomes text when Litestar asks for the answer, inside the transaction."""

    def __init__(
        self, template: str, visitor: Visitor, status: int, context: dict[str, Any], *, is_page: bool
    ) -> None:
        super().__init__(None, status_code=status, media_type=MediaType.HTML)
        self.template, self.visitor, self.context, self.is_page = template, visitor, context, is_page

    def to_asgi_response(
        self,
        app: Litestar | None,  # noqa: ARG002 - the signature is Litestar's
        request: Request[Any, Any, Any],
        **_more: Any,
    ) -> ASGIResponse:
        """Render, and set what belongs to a page: the browser's cookie, the notice that was now said."""
        pages: Pages = request.app.state.pages
        jar: CookieJar = request.app.state.jar
        browser = stranger(request).browser
        notice = jar.read_signed(request, cookies.NOTICE, browser) if self.is_page else None
        html = pages.render(
            self.template, visitor=self.visitor, path=request.url.path, notice=notice or "", **self.context
        )
        # What stands on a page is for one person: strangers' pages carry their browser's form token.
        caching = "no-store" if self.visitor.is_signed_in else "private, no-cache"
        headers = {"Cache-Control": caching, "Vary": "HX-Request, HX-Request-Type, Cookie"} | self.headers
        set_cookies = [*self.cookies, *_first_cookie(jar, self.visitor)]
        if notice is not None:
            set_cookies.append(jar.drop(cookies.NOTICE))
        return ASGIResponse(
            body=html,
            status_code=self.status_code,
            media_type=MediaType.HTML,
            headers=headers,
            cookies=set_cookies,
        )


def _first_cookie(jar: CookieJar, visitor: Visitor) -> list[Cookie]:
    if not visitor.is_new_browser:
        return []
    return [jar.make(cookies.BROWSER, visitor.browser, BROWSER_KEPT_FOR)]


def page(template: str, *, visitor: Visitor, status: int = 200, **context: Any) -> Response[None]:
    """A whole page: a template that extends `shell/page.html`."""
    return _Rendered(template, visitor, status, context, is_page=True)


def fragment(template: str, *, visitor: Visitor, status: int = 200, **context: Any) -> Response[None]:
    """A part of a page, for htmx to put in its place: a template whose root element has an id."""
    return _Rendered(template, visitor, status, context, is_page=False)


def is_htmx(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx asks for a part of a page. Anybody may say so: it chooses a shape, never a right."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


class _Onward(Response[None]):
    def __init__(self, url: str, notice: str | None) -> None:
        super().__init__(None, status_code=303)
        self.url, self.notice = url, notice

    def to_asgi_response(
        self,
        app: Litestar | None,  # noqa: ARG002 - the signature is Litestar's
        request: Request[Any, Any, Any],
        **_more: Any,
    ) -> ASGIResponse:
        """`Location` for a browser, `HX-Redirect` for htmx, which would put the next page into the form's place."""
        jar: CookieJar = request.app.state.jar
        visitor = stranger(request)
        set_cookies = [*self.cookies, *_first_cookie(jar, visitor)]
        if self.notice is not None:
            set_cookies.append(jar.make_signed(cookies.NOTICE, self.notice, visitor.browser, NOTICE_KEPT_FOR))
        names = ("HX-Redirect", 200) if is_htmx(request) else ("Location", 303)
        return ASGIResponse(
            status_code=names[1],
            headers={names[0]: self.url, "Cache-Control": "no-store"} | self.headers,
            cookies=set_cookies,
            media_type=MediaType.TEXT,
        )


def redirect(path: str, *, notice: str | None = None, refusal: str | None = None) -> Response[None]:
    """On to another page of ours, after something was done; `notice` is said there once. After something was refused
    `refusal` is, which does not look like success.

    Raise ValueError for an address that could lead to another site.
    """
    if not is_ours(path):
        raise ValueError(f"{path!r} is not a path of ours")
    return _Onward(path, f"{REFUSAL}{refusal}" if refusal else notice)


def leave(url: str) -> Response[None]:
    """On to another site. Only for addresses that came from the payment provider, never from a request."""
    return _Onward(url, None)
