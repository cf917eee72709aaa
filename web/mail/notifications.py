"""Which letters somebody wants, for people who are signed in."""

from typing import Final

from litestar import Controller, Response, get, post

from models.accounts.audit import audit
from models.accounts.states import Role
from models.mail.categories import ABOUT, Category, can_be_refused
from models.mail.preferences import mute, muted, offered, unmute
from models.mail.suppressions import lift_suppression, suppression_of
from web.guards import signed_in
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

NOTIFICATIONS: Final = "/account/notifications"


class Notifications(Controller):
    """One's own letters."""

    path = NOTIFICATIONS
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, session: Transaction, visitor: Who) -> Response[None]:
        """A box for each kind of letter, and whether letters arrive at all."""
        person = visitor.somebody
        refused = await muted(session, person.email)
        return page(
            "mail/notifications.html",
            visitor=visitor,
            email=person.email,
            boxes=[(one, ABOUT[one], one not in refused) for one in _offered(visitor)],
            essential=[about for one, about in ABOUT.items() if not can_be_refused(one)],
            suppression=await suppression_of(session, person.email),
        )

    @post()
    async def save(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Ticked boxes are wanted, the others are not."""
        person = visitor.somebody
        wanted = [one for one in _offered(visitor) if one.value in form]
        refused = [one for one in _offered(visitor) if one.value not in form]
        await unmute(session, person.email, wanted)
        await mute(session, person.email, refused)
        chosen = " ".join(one.value for one in refused)
        await audit(session, person, "notifications.changed", f"person/{person.id}", refused=chosen)
        return redirect(NOTIFICATIONS, notice="Your choice is saved.")

    @post("/suppression/removal")
    async def write_again(self, session: Transaction, visitor: Who) -> Response[None]:
        """My mailbox takes letters again. If the next one bounces, we stop again."""
        person = visitor.somebody
        lifted = await lift_suppression(session, person.email)
        if lifted is not None:
            reason = lifted.reason.value
            await audit(session, person, "suppression.lifted", f"person/{person.id}", reason=reason)
        return redirect(NOTIFICATIONS, notice="We write to you again.")


def _offered(visitor: Visitor) -> list[Category]:
    return offered(is_staff=visitor.has_role(Role.EDITOR))
