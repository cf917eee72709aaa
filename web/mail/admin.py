"""The letters of the product for those who look after them: what became of each, and who is not written to."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.audit import audit
from models.accounts.queries import person_by_email
from models.accounts.states import Role
from models.base.errors import Conflict
from models.mail import queries
from models.mail.actions import send_again
from models.mail.rules import can_be_resent
from models.mail.states import LetterState
from models.mail.suppressions import count_suppressions, lift_suppression, suppressions
from web.forms import FormData, shown
from web.guards import admin, editor
from web.lists import LONGEST_SEARCH, address, listed, searched
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who

LETTERS: Final = "/admin/mail"
SUPPRESSIONS: Final = f"{LETTERS}/suppressions"
#: The states that have a tab; the rest are found under "All".
TABS: Final = {
    LetterState.UNKNOWN: "No answer",
    LetterState.FAILED: "Not sent",
    LetterState.BOUNCED: "Bounced",
    LetterState.COMPLAINED: "Spam",
    LetterState.WITHHELD: "Withheld",
    LetterState.QUEUED: "Queued",
    LetterState.DELIVERED: "Delivered",
}


class MailDesk(Controller):
    """Editors look; admins may send again and take addresses off the list."""

    path = LETTERS
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        q: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of letters, by state and address."""
        state = request.query_params.get("state", "")  # Litestar keeps the name for itself
        wanted = LetterState(state) if state in set(LetterState) else None
        search = searched(q)
        found = await queries.letters(session, state=wanted, search=search, cursor=cursor or None)
        counts = await queries.trouble_counts(session)
        tabs: list[tuple[str, str, bool, int | None]] = [
            ("All", address(LETTERS, q=search), wanted is None, None)
        ]
        tabs += [
            (words, address(LETTERS, state=one.value, q=search), one is wanted, counts.get(one))
            for one, words in TABS.items()
        ]
        tabs.append(("Suppressed", SUPPRESSIONS, False, await count_suppressions(session)))
        chosen = wanted.value if wanted else ""
        return page(
            "mail/admin/letters.html",
            visitor=visitor,
            tabs=tabs,
            state=chosen,
            search=search,
            cleared=address(LETTERS, state=chosen),
            **listed(found, LETTERS, cursor, state=chosen, q=search),
        )

    @get("/{letter_id:uuid}")
    async def show(self, session: Transaction, visitor: Who, letter_id: FromPath[UUID]) -> Response[None]:
        """One letter: its way, and what was told about it. Not its text, in which doors may be."""
        record = await queries.letter_record(session, letter_id)
        letter = record.letter
        return page(
            "mail/admin/letter.html",
            visitor=visitor,
            record=record,
            letter=letter,
            can_be_resent=visitor.has_role(Role.ADMIN) and can_be_resent(letter.state, letter.expires_at),
        )

    @post("/{letter_id:uuid}/sending", guards=[admin])
    async def send(self, session: Transaction, visitor: Who, letter_id: FromPath[UUID]) -> Response[None]:
        """Send a letter once more. Pressed twice, it shows how it stands."""
        try:
            letter = await send_again(session, letter_id)
        except Conflict as refusal:
            return redirect(f"{LETTERS}/{letter_id}", refusal=refusal.words)
        subject = letter.about or f"letter/{letter_id}"
        await audit(session, visitor.somebody, "letter.sent_again", subject, letter=str(letter_id))
        return redirect(f"{LETTERS}/{letter_id}", notice="It is sent once more.")

    @get("/suppressions")
    async def suppressed(
        self,
        session: Transaction,
        visitor: Who,
        q: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of addresses that are not written to."""
        search = searched(q)
        found = await suppressions(session, search=search, cursor=cursor or None)
        return page(
            "mail/admin/suppressions.html",
            visitor=visitor,
            search=search,
            is_admin=visitor.has_role(Role.ADMIN),
            **listed(found, SUPPRESSIONS, cursor, q=search),
        )

    @post("/suppressions/removal", guards=[admin])
    async def lift(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Write to an address again. It travels in the form: addresses in addresses end up in logs."""
        silenced = _field(form, "address")
        lifted = await lift_suppression(session, silenced)
        if lifted is None:
            return redirect(SUPPRESSIONS, notice="That address was not suppressed any more.")
        # By whose it is, and not by the address itself: nothing can be taken out of the log when they leave.
        owner = await person_by_email(session, lifted.address)
        subject = f"person/{owner.id}" if owner else f"letter/{lifted.letter_id}"
        told = {"reason": lifted.reason.value, "letter": str(lifted.letter_id)}
        await audit(session, visitor.somebody, "suppression.lifted", subject, **told)
        return redirect(SUPPRESSIONS, notice=f"We write to {silenced} again.")


def _field(form: FormData, name: str) -> str:
    return shown(form).get(name, "")[:LONGEST_SEARCH]
