"""The cookies of the product: how they are named and with what attributes they are set."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from models.base.crypto import Keys, same

Connection = ASGIConnection[Any, Any, Any, Any]

#: A random name for this browser, given with its first page: binds forms and sign-in links to it.
BROWSER: Final = "galley_browser"
#: The token of a signed-in session.
SESSION: Final = "galley_session"
#: What the last request did, to be said once on the next page.
NOTICE: Final = "galley_notice"
#: Where somebody wanted to go when we asked them to sign in.
WANTED: Final = "galley_wanted"
#: Bytes of a signature: 128 bits, for something that lives for minutes.
SIGNATURE: Final = 16


@dataclass(frozen=True, slots=True)
class CookieJar:
    """Reads and makes cookies that scripts cannot see, other sites cannot send along with a POST, and, on https,
    that no subdomain can plant (`__Host-`, RFC 6265bis §4.1.3.2). Plain http is for localhost, without the prefix.
    """

    is_https: bool
    keys: Keys = field(repr=False)

    def name(self, cookie: str) -> str:
        """The cookie's name on the wire."""
        return f"__Host-{cookie}" if self.is_https else cookie

    def read(self, connection: Connection, cookie: str) -> str | None:
        """What the browser sent, or None if it sent nothing."""
        return connection.cookies.get(self.name(cookie)) or None

    def make(self, cookie: str, value: str, max_age: timedelta | None = None) -> Cookie:
        """A cookie to set; without `max_age` the browser forgets it when it is closed."""
        return Cookie(
            key=self.name(cookie),
            value=value,
            path="/",
            max_age=None if max_age is None else int(max_age.total_seconds()),
            secure=self.is_https,
            httponly=True,
            samesite="lax",
        )

    def drop(self, cookie: str) -> Cookie:
        """A cookie to set that makes the browser forget the one it has."""
        return self.make(cookie, "", timedelta(0))

    def make_signed(self, cookie: str, words: str, browser: str, max_age: timedelta) -> Cookie:
        """A cookie whose words only we can have written, for this browser alone."""
        plain = words.encode()
        signed = urlsafe_b64encode(self._signature(cookie, words, browser) + plain).decode().rstrip("=")
        return self.make(cookie, signed, max_age)

    def read_signed(self, connection: Connection, cookie: str, browser: str) -> str | None:
        """The words of a signed cookie; None if there are none, or somebody else wrote them."""
        sent = self.read(connection, cookie) or ""
        try:
            raw = urlsafe_b64decode(sent + "=" * (-len(sent) % 4))
            words = raw[SIGNATURE:].decode()
        except (binascii.Error, ValueError):
            return None
        return words if words and same(raw[:SIGNATURE], self._signature(cookie, words, browser)) else None

    def _signature(self, cookie: str, words: str, browser: str) -> bytes:
        return self.keys.mac(cookie, browser, words)[:SIGNATURE]
