"""The headers that tell browsers what a page of ours may do. They stand on every answer: pages, errors, files, streams.

A handler differs by its `opt`: `{"referrer": "no-referrer"}`, `{"frames": True}` (may show frames of our own),
`{"csp": "..."}` (a policy of its own).
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from models.base.settings import Settings

#: Everything that a page could ask for and ours do not.
PERMISSIONS: Final = ", ".join(
    f"{feature}=()" for feature in ("camera", "microphone", "geolocation", "payment", "usb", "serial")
)
TWO_YEARS: Final = "max-age=63072000; includeSubDomains"


class SecurityHeaders:
    """An ASGI layer around everything else."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.pay_origin = _origin(settings.stripe.pay_host)
        self.policies = {frames: self._policy(frames=frames) for frames in (False, True)}
        self.fixed = {
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": PERMISSIONS,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if settings.app.is_https:
            self.fixed["Strict-Transport-Security"] = TWO_YEARS

    def _policy(self, *, frames: bool) -> str:
        # form-action governs the redirect after a POST too, so the payment page must be named.
        directives = {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "form-action": f"'self' {self.pay_origin}",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        if frames:
            directives["frame-src"] = "'self'"
        return "; ".join(f"{name} {value}" for name, value in directives.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete the headers of whatever comes back."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                handler = scope.get("route_handler")
                opt: Mapping[str, Any] = handler.opt if handler is not None else {}
                headers = MutableScopeHeaders.from_message(message)
                for name, value in self.fixed.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = opt.get("csp") or self.policies[bool(opt.get("frames"))]
                headers["Referrer-Policy"] = opt.get("referrer", "strict-origin-when-cross-origin")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, complete)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
