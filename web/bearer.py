"""API tokens on the wire (RFC 6750): only at /api, only in the header, and then no cookie counts."""

from typing import Final

from web.cookies import Connection

API: Final = "/api/"
SCHEME: Final = "bearer"


def bearer_of(connection: Connection) -> str | None:
    """The token that this request shows, which may be anybody's words; None if it shows none, or not to the API."""
    if not connection.scope["path"].startswith(API):
        return None
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == SCHEME else None
