"""What happens to every request, whether a handler is found for it or not: a name, headers, a log line, a smaller body.

These are plain ASGI layers around the application, because Litestar's own middleware does not see requests that lead
nowhere.
"""

import gzip
import re
import time
from secrets import token_hex
from typing import Any, Final, cast

import structlog
from litestar import Litestar
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Message,
    Receive,
    Scope,
    Send,
)
from sse_starlette.sse import SendTimeoutError

from models.base.metrics import HTTP_SECONDS
from models.base.settings import Settings
from models.base.tracing import record
from web.security import SecurityHeaders

log = structlog.get_logger("web.requests")

CORRELATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
#: W3C Trace Context: version, trace, span of the caller, flags.
TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
#: Below this a compressed answer is hardly smaller (it fits one packet anyway).
WORTH_COMPRESSING: Final = 860
COMPRESSED_TYPES: Final = ("text/", "application/json", "application/problem+json", "image/svg+xml")
SEEN_OFTEN: Final = ("/health/", "/static/")


class Application(Litestar):
    """Litestar with the edge around it."""

    __slots__ = ("edge",)

    def surround(self, settings: Settings) -> None:
        """Put the layers around the application, the outermost last."""
        self.edge: ASGIApp = Logged(SecurityHeaders(HeadIsGet(Compressed(super().__call__)), settings))

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Serve one request, or the life of the process."""
        if scope["type"] == ScopeType.HTTP:
            await self.edge(scope, receive, send)  # type: ignore[arg-type]  # a union that Litestar cannot narrow
        else:
            await super().__call__(scope, receive, send)


class Logged:
    """Names the request, so that everything done for it can be found, and writes one line when it is answered.

    No query string, no address, no cookie: none of them belongs in a log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an error after the answer has begun is written down here, as nobody else can."""
        headers = Headers.from_scope(scope)
        traced = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        given = traced[1] if traced else headers.get("x-request-id", "")
        correlation_id = given if CORRELATION.fullmatch(given) else token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        began = time.perf_counter()
        status, is_stream = 0, False

        async def named(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status, is_stream = message["status"], _is_stream(message)
                MutableScopeHeaders.from_message(message)["X-Request-ID"] = correlation_id
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception as error:
            if not isinstance(error.__cause__, SendTimeoutError):
                log.exception("web.broke_off", **_where(scope))
                raise
            log.info("web.reader_gone", **_where(scope))
        finally:
            where, seconds = _where(scope), time.perf_counter() - began
            if not is_stream:
                HTTP_SECONDS.labels(where["method"], where["route"], status).observe(seconds)
                record(f"{where['method']} {where['route']}", seconds, is_error=status >= 500, status=status)  # noqa: PLR2004 - RFC 9110
            line = {**where, "status": status, "ms": round(seconds * 1000, 1)}
            (log.debug if scope["path"].startswith(SEEN_OFTEN) else log.info)("web.answered", **line)


def _where(scope: Scope) -> dict[str, str]:
    """The method and the route: `/orders/{order_id}`, never the address itself."""
    found = cast("dict[str, Any]", scope)
    return {"method": found["method"], "route": found.get("path_template") or "(none)"}


class HeadIsGet:
    """Answers HEAD wherever GET is answered, with GET's headers and no body (RFC 9110 §9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for GET and keep the body back; a stream is over as soon as its headers are known."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        is_over = False

        async def as_head(message: Message) -> None:
            # The server looks here for whether a body is owed.
            scope["method"] = "HEAD"
            await send(message)
            scope["method"] = "GET"

        async def without_body(message: Message) -> None:
            nonlocal is_over
            if message["type"] == "http.response.start":
                await as_head(message)
                if _is_stream(message):
                    is_over = True
                    await as_head({"type": "http.response.body", "body": b"", "more_body": False})
            elif message["type"] == "http.response.body" and not message["more_body"] and not is_over:
                is_over = True
                await as_head({"type": "http.response.body", "body": b"", "more_body": False})

        async def gone() -> Any:
            return {"type": "http.disconnect"} if is_over else await receive()

        scope["method"] = "GET"
        try:
            await self.app(scope, gone, without_body)
        finally:
            scope["method"] = "HEAD"


class Compressed:
    """Makes answers of one piece smaller for browsers that take gzip. Streams are left alone: a compressor holds
    back what should be seen now, and takes 80 KB for each.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the headers back until the body tells whether it is worth it."""
        takes_gzip = "gzip" in Headers.from_scope(scope).get("accept-encoding", "")
        start: Message | None = None

        async def smaller(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and not _is_stream(message):
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                headers = MutableScopeHeaders.from_message(start)
                if _is_text(headers):
                    headers.extend_header_value("vary", "Accept-Encoding")
                    if takes_gzip and not message["more_body"] and len(message["body"]) >= WORTH_COMPRESSING:
                        body = gzip.compress(message["body"], 5, mtime=0)
                        headers["Content-Encoding"] = "gzip"
                        headers["Content-Length"] = str(len(body))
                        message = {**message, "body": body}
                first, start = start, None
                await send(first)
            await send(message)

        await self.app(scope, receive, smaller)


def _is_text(headers: MutableScopeHeaders) -> bool:
    return _kind(headers).startswith(COMPRESSED_TYPES) and "content-encoding" not in headers


def _is_stream(start: Message) -> bool:
    return _kind(MutableScopeHeaders.from_message(start)).startswith("text/event-stream")


def _kind(headers: MutableScopeHeaders) -> str:
    kind: str = headers.get("content-type", "")
    return kind
