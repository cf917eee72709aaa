"""The link at the end of a letter, and the button that mail programs make of it (RFC 8058).

Programs that look at links before people do open it too, so opening changes nothing. Pressing works without a
cookie, a session or a form token: a mail provider presses for its reader, and has none of them.
"""

from typing import Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from models.accounts.address import masked
from models.mail.categories import ABOUT
from models.mail.preferences import mute, read_unsubscribe, unmute
from web.pages import page
from web.params import KeyRing, Submitted, Transaction, Who

#: What a reader sends who wants such letters after all.
AGAIN: Final = "again"


class Unsubscribe(Controller):
    """One category of letters to one address, without signing in."""

    path = "/unsubscribe/{token:str}"
    opt = {"referrer": "no-referrer"}  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def ask(self, visitor: Who, keys: KeyRing, token: FromPath[str]) -> Response[None]:
        """Do you want no more such letters?"""
        address, category = read_unsubscribe(keys, token)
        return page(
            "mail/unsubscribe.html",
            visitor=visitor,
            about=ABOUT[category],
            address=masked(address),
            url=f"/unsubscribe/{token}",
        )

    @post(status_code=200, opt={"csrf": False, "referrer": "no-referrer"})
    async def press(
        self, session: Transaction, visitor: Who, keys: KeyRing, form: Submitted, token: FromPath[str]
    ) -> Response[None]:
        """Send no more of them, or send them again. Whoever holds the letter may say so, as often as they like."""
        address, category = read_unsubscribe(keys, token)
        is_wanted = AGAIN in form
        await (unmute if is_wanted else mute)(session, address, [category])
        return page(
            "mail/unsubscribed.html",
            visitor=visitor,
            about=ABOUT[category],
            address=masked(address),
            url=f"/unsubscribe/{token}",
            is_wanted=is_wanted,
        )
