"""What goes wrong, like with like: a thousand jobs with one mistake are one thing to understand."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.settings import Settings
from models.jobs.errors import LONGEST_NOTE, groups, reopen, understand
from web.board.addresses import ERRORS
from web.board.fresh import RARELY, follow
from web.board.payloads import sees_payload
from web.forms import read, text
from web.guards import analyst, editor
from web.lists import address, listed
from web.pages import page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor


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
        self, session: Transaction, visitor: Who, settings: Config, cursor: FromQuery[str] = ""
    ) -> Response[None]:
        """Each group, those that nobody has understood first."""
        return page(
            "board/errors.html",
            visitor=visitor,
            events=address(f"{ERRORS}/events", cursor=cursor),
            **await _seen(settings, visitor, cursor, session),
        )

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        settings: Config,
        pages: Templates,
        cursor: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as they change."""
        seen = partial(_seen, settings, visitor, cursor)
        return follow(request, visitor, pages, "board/_errors.html", seen, every=RARELY)

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


async def _seen(settings: Settings, visitor: Visitor, cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await groups(session, cursor=cursor or None)
    return {"sees_payload": sees_payload(visitor, settings), **listed(found, ERRORS, cursor or None)}
