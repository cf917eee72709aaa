"""One thing done to every job that a search finds: asked for with the search in sight, then watched."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid
from models.jobs.bulk import begin, bulk_action, bulk_actions, stop
from models.jobs.filter import Filter
from models.jobs.states import BulkDeed
from web.board.addresses import BULK, JOBS
from web.board.overview import EVERY
from web.forms import choice, read, shown, whole
from web.guards import admin
from web.lists import address, listed, searched
from web.live import Moment, stream
from web.pages import page, redirect
from web.params import Submitted, Templates, Transaction, Who
from web.visitor import Visitor

DEEDS: Final = {
    BulkDeed.RETRY: ("Run again", "Those that are dead or cancelled."),
    BulkDeed.CANCEL: ("Cancel", "Those that have not ended. What runs is asked to stop."),
    BulkDeed.PROMOTE: ("Run now", "Those that are scheduled for later."),
    BulkDeed.PRIORITY: ("Give another priority", "Those that have not begun."),
    BulkDeed.DELETE: ("Delete", "Those that have ended. This cannot be undone."),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done."""

    deed: Annotated[BulkDeed, choice(BulkDeed, "Choose what to do.")]
    priority: Annotated[int | None, whole("", least=0, most=9)] = None

    def problems(self) -> dict[str, str]:
        """What single fields cannot show."""
        is_missing = self.deed is BulkDeed.PRIORITY and self.priority is None
        return {"priority": "Enter a number from 0, which goes first, to 9."} if is_missing else {}


class Bulk(Controller):
    """What was done to many jobs at once. For admins."""

    path = BULK
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Every bulk action, the latest first."""
        found = await bulk_actions(session, cursor=cursor or None)
        return page("board/bulk_actions.html", visitor=visitor, deeds=DEEDS, **listed(found, BULK, cursor))

    @get("/new")
    async def choose(self, visitor: Who, q: FromQuery[str] = "", deed: FromQuery[str] = "") -> Response[None]:
        """What should be done to all that match?"""
        return _asking(visitor, searched(q), {"deed": deed}, {})

    @post("/new")
    async def ask(
        self, session: Transaction, visitor: Who, form: Submitted, q: FromQuery[str] = ""
    ) -> Response[None]:
        """Begin. A worker does it, some hundred jobs at a time."""
        line = searched(q)
        try:
            wanted, wish = Filter.read(line), read(Wish, form)
        except Invalid as refusal:
            return _asking(visitor, line, shown(form), refusal.fields)
        bulk_id = await begin(session, wanted, wish.deed, visitor.somebody.id, priority=wish.priority)
        await audit(
            session, visitor.somebody, "jobs.bulk", f"bulk/{bulk_id}", deed=wish.deed.value, filter=line
        )
        return redirect(f"{BULK}/{bulk_id}")

    @get("/{bulk_id:uuid}")
    async def show(self, session: Transaction, visitor: Who, bulk_id: FromPath[UUID]) -> Response[None]:
        """How far it is."""
        found = await bulk_action(session, bulk_id)
        return page("board/bulk_action.html", visitor=visitor, one=found, words=DEEDS[found.deed][0])

    @get("/{bulk_id:uuid}/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        pages: Templates,
        bulk_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, as it goes on."""
        await bulk_action(session, bulk_id)

        async def look(session: AsyncSession) -> Moment:
            found = await bulk_action(session, bulk_id)
            html = pages.render(
                "board/_bulk_action.html", visitor=visitor, one=found, words=DEEDS[found.deed][0]
            )
            return Moment(html, is_last=found.finished_at is not None)

        return stream(request, [f"bulk/{bulk_id}"], look, visitor=visitor, every=EVERY)

    @post("/{bulk_id:uuid}/stop")
    async def end(self, session: Transaction, visitor: Who, bulk_id: FromPath[UUID]) -> Response[None]:
        """Do no more of it. What was done stays done."""
        try:
            await stop(session, bulk_id)
        except Conflict as refusal:
            return redirect(f"{BULK}/{bulk_id}", notice=refusal.words)
        await audit(session, visitor.somebody, "jobs.bulk_stopped", f"bulk/{bulk_id}")
        return redirect(f"{BULK}/{bulk_id}", notice="It stops after what it is doing.")


def _asking(visitor: Visitor, line: str, typed: dict[str, str], problems: Any) -> Response[None]:
    return page(
        "board/bulk_asking.html",
        visitor=visitor,
        status=422 if problems else 200,
        q=line,
        deeds=[(one.value, *words) for one, words in DEEDS.items()],
        typed=typed,
        problems=problems,
        back=address(JOBS, q=line),
    )
