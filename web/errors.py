"""Every answer that is not what was asked for: as a page, as a part of one, or as JSON (RFC 9457), always saying
what happened and what to do, never more than the person may know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.base.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Refusal, TooMany
from web.bearer import API
from web.csrf import StaleForm
from web.guards import PasskeyWanted, SignInWanted, TokenWanted, remember_wanted
from web.limits import seconds
from web.pages import fragment, is_htmx, page, redirect
from web.visitor import stranger

log = structlog.get_logger(__name__)

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as its page tells it: what happened, what to do, and where the button leads."""

    status: int
    title: str
    happened: str
    todo: str
    words: str = "Go to the first page"
    href: str = "/"
    reference: str | None = None
    #: What was typed and not taken, to be copied.
    written: Sequence[str] = ()


#: The one place that says which refusal is which status.
REFUSALS: Final[dict[type[Refusal], Trouble]] = {
    NotFound: Trouble(404, "Page not found", "", "Check the address, or start from the first page."),
    Gone: Trouble(410, "This page was taken down", "", "It does not come back. Start from the first page."),
    Conflict: Trouble(
        409, "That is not possible any more", "", "Go back and reload the page to see how things stand now."
    ),
    Invalid: Trouble(
        422, "There is a problem", "", "Go back, correct it and send it again. Nothing was changed."
    ),
    StaleForm: Trouble(
        403,
        "This page was no longer up to date",
        "",
        "Nothing was changed. Load the page again, then send it once more.",
        "Load the page again",
    ),
    Forbidden: Trouble(403, "That was not allowed", "", "Nothing was changed."),
    TooMany: Trouble(429, "Too many requests", "", ""),
}

STATUSES: Final[dict[int, Trouble]] = {
    400: Trouble(
        400,
        "We could not read that",
        "The address, or what was sent, is not as we made it.",
        "Start from the first page.",
    ),
    404: Trouble(
        404,
        "Page not found",
        "There is no page at this address.",
        "Check the address, or start from the first page.",
    ),
    405: Trouble(
        405, "That cannot be done here", "This address does not take that.", "Start from the first page."
    ),
    413: Trouble(
        413,
        "That is too large",
        "",
        "Go back and send less of it at once.",
        "Go back",
    ),
    415: Trouble(
        415,
        "We could not read that",
        "What you sent is of a kind that is not taken here.",
        "Start from the first page.",
    ),
}

#: What a program is told to do, by the status; its words differ from those for people who stand before a page.
ADVICE: Final = {
    400: "Check the address, the header and the body.",
    401: "Send a token in the header Authorization; people make theirs on the account page.",
    404: "What there is stands in /api/openapi.json.",
    405: "The header Allow names what it takes.",
    409: "Ask how it stands by now.",
    410: "It does not come back.",
    413: "Send less of it at once.",
    415: "Send JSON as it is, not compressed, with the header Content-Type: application/json.",
    422: "Nothing was changed.",
}

#: Where nobody but programs asks.
PROGRAMS: Final = (API, "/webhooks/", "/health/")
#: PostgreSQL's word for a character that no text of it can hold: a NUL, which nobody types and no form sends.
UNWRITABLE: Final = "22021"
#: Seconds above which a wait is told in minutes.
EASILY_COUNTED: Final = 90

AWAY: Final = Trouble(
    503,
    "We will be back in a moment",
    "We cannot reach our records right now. Nothing that was saved is lost.",
    "Wait a minute and try again. If you had just sent something, look first whether it arrived.",
    words="Try again",
    href="",
)
FAULT: Final = Trouble(
    500,
    "Sorry, there is a problem with the service",
    "Something went wrong on our side. What you sent was not saved.",
    "Try again in a few minutes. We have been told and look into it.",
)
#: Of an address that asks for what cannot be: nothing was typed that could be corrected and sent again.
MISREAD: Final = Trouble(
    422,
    "This address is not right",
    "",
    "It may be old, or was cut off when it was copied.",
    "Start from the beginning",
)
SIGN_IN: Final = Trouble(
    401, "Sign in to go on", "Nobody is signed in here.", "Sign in and try again.", "Sign in", "/sign-in"
)
PASSKEY: Final = Trouble(
    403,
    "Add a passkey to go on",
    "Whoever works here needs a passkey.",
    "Sign in on the site, which leads you to adding one, and try again.",
)

TOKEN: Final = Trouble(
    401,
    "This token does not work",
    "It is not a token of ours, or it was revoked, or it has run out.",
    "Make another one on your account page.",
)
TOKEN_LACKS: Final = Trouble(
    403, "This token may not do that", "", "Make a token with it on your account page."
)


def on_refusal(request: AnyRequest, error: Refusal) -> Response[Any]:
    """The rules said no, in words for the person who asked."""
    if isinstance(error, Invalid):
        is_read = request.method in {"GET", "HEAD"}
        trouble = replace(MISREAD, href=request.url.path) if is_read else REFUSALS[Invalid]
        return answer(request, replace(trouble, happened=error.words), fields=error.fields)
    kind = next(kind for kind in type(error).__mro__ if kind in REFUSALS)
    return answer(request, replace(REFUSALS[kind], happened=error.words))


def on_stale_form(request: AnyRequest, error: StaleForm) -> Response[Any]:
    """A form of ours that is not valid any more: what happened, what was written, and the way to a fresh one."""
    trouble = replace(
        REFUSALS[StaleForm], happened=error.words, written=error.written, href=_came_from(request)
    )
    return answer(request, trouble)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Litestar said no: no such address, another method, too large, not readable."""
    status = error.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_fault(request, error)
    trouble = STATUSES.get(status) or replace(STATUSES[400], status=status)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        most = request.route_handler.resolve_request_max_body_size() or 0
        words = (
            f"What you sent is larger than the {most // 1024:,} KiB that are taken here. Nothing was changed."
        )
        trouble = replace(trouble, happened=words, href=_came_from(request))
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return answer(request, trouble, headers=headers)


def on_sign_in_wanted(request: AnyRequest, error: SignInWanted) -> Response[Any]:
    """To the sign-in page, and back afterwards; machines are told to bring credentials instead."""
    if _wants_json(request) or _is_stream(request):
        takes_tokens = request.url.path.startswith(API)
        return answer(request, SIGN_IN, headers={"WWW-Authenticate": "Bearer"} if takes_tokens else None)
    onward = redirect("/sign-in?again=yes" if error.is_again else "/sign-in")
    remember_wanted(request, onward)
    return onward


def on_passkey_wanted(request: AnyRequest, error: PasskeyWanted) -> Response[Any]:
    """To the page that adds a passkey, and back afterwards; machines are told."""
    if _wants_json(request) or _is_stream(request):
        return answer(request, PASSKEY)
    onward = redirect("/sign-in?again=yes" if error.is_again else "/account/passkeys/new")
    remember_wanted(request, onward)
    return onward


def on_token_wanted(request: AnyRequest, error: TokenWanted) -> Response[Any]:
    """RFC 6750 §3.1: which of the two is wrong with the token, in the header and in words."""
    if error.missing is None:
        return answer(request, TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    lacking = f'Bearer error="insufficient_scope", scope="{error.missing.value}"'
    trouble = replace(TOKEN_LACKS, happened=f"This token does not have the scope {error.missing.value}.")
    return answer(request, trouble, headers={"WWW-Authenticate": lacking})


def on_too_many(request: AnyRequest, error: TooMany) -> Response[Any]:
    """Too often: when it may be asked again."""
    wait = seconds(error.retry_after)
    span = f"{wait} second{'s' * (wait > 1)}" if wait <= EASILY_COUNTED else f"{-(-wait // 60)} minutes"
    trouble = replace(REFUSALS[TooMany], happened=error.words, todo=f"Wait {span} and try again.")
    return answer(request, trouble, headers={"Retry-After": str(wait)})


def on_fault(request: AnyRequest, error: Exception) -> Response[Any]:
    """A fault of ours, or the database is away. The person gets a reference, the log gets the rest."""
    where = {"method": request.method, "route": request.scope.get("path_template", "(none)")}
    if is_database_away(error):
        log.error("web.database_away", error=str(error), **where)
        here = request.url.path if request.method == "GET" else "/"
        return answer(request, replace(AWAY, href=here), headers={"Retry-After": "30"})
    if isinstance(error, DBAPIError) and _state(error) == UNWRITABLE:
        return answer(request, STATUSES[400])
    log.error("web.fault", exc_info=error, **where)
    return answer(request, FAULT)


def is_database_away(error: BaseException) -> bool:
    """Whether PostgreSQL could not be reached, or went away, or had no connection left for us."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_database_away, error.exceptions))
    if isinstance(error, PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _state(error).startswith(("08", "57P", "53"))
    # The driver lets the socket's own errors through; others of the same type mean something else.
    return isinstance(error, OSError) and "asyncpg" in _rooms(error)


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _rooms(error: BaseException) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        yield str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        trace = trace.tb_next


def answer(
    request: AnyRequest,
    trouble: Trouble,
    *,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """`trouble` in the shape that the asker can use."""
    reference = structlog.contextvars.get_contextvars().get("correlation_id")
    if _wants_json(request) or _is_stream(request):
        is_program = request.url.path.startswith(PROGRAMS)
        advice = ADVICE.get(trouble.status, trouble.todo) if is_program else trouble.todo
        response = _problem(trouble, advice, fields or {}, reference)
    elif is_htmx(request):
        response = fragment(
            "errors/_trouble.html",
            visitor=stranger(request),
            status=trouble.status,
            error=trouble,
            fields=fields or {},
        )
    else:
        # A refusal is no fault of ours to be looked up; a fault is.
        shown = replace(
            trouble, reference=reference if trouble.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        )
        response = page(
            "errors/trouble.html",
            visitor=stranger(request),
            status=trouble.status,
            error=shown,
            fields=fields or {},
        )
    for name, value in {"Cache-Control": "no-store", **(headers or {})}.items():
        response.headers[name] = value
    return response


def _came_from(request: AnyRequest) -> str:
    """The page of ours that a form was sent from, as far as the browser tells; or else the first page."""
    page_before = urlsplit(request.headers.get("referer", ""))
    if page_before.netloc != urlsplit(request.app.state.settings.app.public_url).netloc:
        return "/"
    # Two slashes at the beginning would lead to another site.
    return page_before._replace(scheme="", netloc="", path="/" + page_before.path.lstrip("/")).geturl()


def _problem(
    trouble: Trouble, advice: str, fields: Mapping[str, str], reference: str | None
) -> Response[Any]:
    problem: dict[str, Any] = {
        "type": "about:blank",
        # Of a problem without a type of its own, that is what the status means (RFC 9457, 4.2.1).
        "title": HTTPStatus(trouble.status).phrase,
        "status": trouble.status,
        "detail": " ".join(filter(None, (trouble.happened, advice))),
        "reference": reference,
    }
    if fields:
        problem["fields"] = dict(fields)
    return Response(orjson.dumps(problem), status_code=trouble.status, media_type="application/problem+json")


def _wants_json(request: AnyRequest) -> bool:
    accept = request.headers.get("accept", "")
    return request.url.path.startswith(PROGRAMS) or ("json" in accept and "text/html" not in accept)


def _is_stream(request: AnyRequest) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


handlers: ExceptionHandlersMap = {
    Refusal: on_refusal,
    StaleForm: on_stale_form,
    HTTPException: on_http_error,
    SignInWanted: on_sign_in_wanted,
    PasskeyWanted: on_passkey_wanted,
    TokenWanted: on_token_wanted,
    TooMany: on_too_many,
    Exception: on_fault,
}
