"""What goes wrong, like with like: a thousand jobs with one mistake are one thing to understand."""

from dataclasses import dataclass
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.audit import audit
from models.jobs.errors import LONGEST_NOTE, groups, reopen, understand
from web.board.addresses import ERRORS
from web.board.payloads import sees_payload
from web.forms import read, text
from web.guards import analyst, editor
from web.lists import listed
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an error."""

    note: Annotated[str, text(max_length=LONGEST_NOTE, is_prose=True)] = ""


class Failures(Controller):
    """What went wrong, for good or until the next attempt."""

    path = ERRORS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, settings: Config, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Each group, those that nobody has understood first."""
        found = await groups(session, cursor=cursor or None)
        sees = sees_payload(visitor, settings)
        return page(
            "board/errors.html", visitor=visitor, sees_payload=sees, **listed(found, ERRORS, cursor or None)
        )

    @post("/{fingerprint:str}/note", guards=[editor])
    async def note(
        self, session: Transaction, visitor: Who, form: Submitted, fingerprint: FromPath[str]
    ) -> Response[None]:
        """Write down that, and how, it is understood."""
        await understand(session, fingerprint, read(Note, form).note, visitor.somebody.id)
        await audit(session, visitor.somebody, "error.understood", f"error/{fingerprint}")
        return redirect(ERRORS, notice="Noted. It stands below those that nobody has understood.")

    @post("/{fingerprint:str}/doubt", guards=[editor])
    async def doubt(self, session: Transaction, visitor: Who, fingerprint: FromPath[str]) -> Response[None]:
        """It was not understood after all."""
        await reopen(session, fingerprint)
        await audit(session, visitor.somebody, "error.reopened", f"error/{fingerprint}")
        return redirect(ERRORS, notice="It is open again.")
