"""One thing done to every job that a search finds: asked for with the search in sight, then watched."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid
from models.jobs.board import MOST_COUNTED
from models.jobs.bulk import begin, bulk_action, bulk_actions, refuse_everything, retried, stop
from models.jobs.filter import Filter
from models.jobs.queries import counted
from models.jobs.states import UNFINISHED, BulkDeed, JobState
from models.usage.queries import spent_cents
from web.board.addresses import BULK, JOBS
from web.board.fresh import follow
from web.board.searching import PATIENCE
from web.forms import choice, read, shown, whole
from web.guards import admin
from web.lists import address, listed, printable
from web.pages import page, redirect
from web.params import Submitted, Templates, Transaction, Who
from web.visitor import Visitor

DEEDS: Final = {
    BulkDeed.RETRY: ("Run again", "Those that are dead or cancelled."),
    BulkDeed.CANCEL: ("Cancel", "Those that have not ended. What runs is asked to stop."),
    BulkDeed.PROMOTE: (
        "Begin sooner",
        "Those that are scheduled for later. They wait among the others, and for the end of a pause.",
    ),
    BulkDeed.PRIORITY: ("Give another priority", "Those that have not begun."),
    BulkDeed.DELETE: ("Delete", "Those that have ended. This cannot be undone."),
}


#: In which states a deed does something.
STATES: Final = {
    BulkDeed.RETRY: {JobState.DEAD, JobState.CANCELLED},
    BulkDeed.CANCEL: UNFINISHED,
    BulkDeed.PROMOTE: {JobState.SCHEDULED},
    BulkDeed.PRIORITY: {JobState.SCHEDULED, JobState.WAITING},
    BulkDeed.DELETE: frozenset(JobState) - UNFINISHED,
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
    async def index(self, session: Transaction, visitor: Who, cursor: FromQuery[str] = "") -> Response[None]:
        """Every bulk action, the latest first."""
        events = address(f"{BULK}/events", cursor=cursor)
        return page("board/bulk_actions.html", visitor=visitor, events=events, **await _all(cursor, session))

    @get("/events")
    async def all_events(
        self, request: Request[Any, Any, Any], visitor: Who, pages: Templates, cursor: FromQuery[str] = ""
    ) -> EventSourceResponse:
        """The same, as they go on."""
        return follow(request, visitor, pages, "board/_bulk_actions.html", partial(_all, cursor))

    @get("/new")
    async def choose(
        self, session: Transaction, visitor: Who, q: FromQuery[str] = "", deed: FromQuery[str] = ""
    ) -> Response[None]:
        """What should be done to all that match, and how many are they?"""
        return await _asking(session, visitor, q, {"deed": deed}, {})

    @post("/new")
    async def ask(
        self, session: Transaction, visitor: Who, form: Submitted, q: FromQuery[str] = ""
    ) -> Response[None]:
        """Begin. A worker does it, some hundred jobs at a time."""
        try:
            wanted, wish = Filter.read(printable(q)), read(Wish, form)
            bulk_id = await begin(session, wanted, wish.deed, visitor.somebody.id, priority=wish.priority)
        except Invalid as refusal:
            return await _asking(session, visitor, q, shown(form), refusal.fields)
        detail = {"deed": wish.deed.value, "filter": str(wanted), "priority": wish.priority}
        await audit(session, visitor.somebody, "jobs.bulk", f"bulk/{bulk_id}", **detail)
        return redirect(f"{BULK}/{bulk_id}")

    @get("/{bulk_id:uuid}")
    async def show(self, session: Transaction, visitor: Who, bulk_id: FromPath[UUID]) -> Response[None]:
        """How far it is."""
        return page("board/bulk_action.html", visitor=visitor, **await _one(bulk_id, session))

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
        return follow(
            request,
            visitor,
            pages,
            "board/_bulk_action.html",
            partial(_one, bulk_id),
            topics=[f"bulk/{bulk_id}"],
            is_over=lambda seen: seen["one"].finished_at is not None,
        )

    @post("/{bulk_id:uuid}/stop")
    async def end(self, session: Transaction, visitor: Who, bulk_id: FromPath[UUID]) -> Response[None]:
        """Do no more of it. What was done stays done."""
        try:
            await stop(session, bulk_id)
        except Conflict as refusal:
            return redirect(f"{BULK}/{bulk_id}", refusal=refusal.words)
        await audit(session, visitor.somebody, "jobs.bulk_stopped", f"bulk/{bulk_id}")
        return redirect(f"{BULK}/{bulk_id}", notice="It stops after what it is doing.")


async def _all(cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await bulk_actions(session, cursor=cursor or None)
    return {"deeds": DEEDS, **listed(found, BULK, cursor or None)}


async def _one(bulk_id: UUID, session: AsyncSession) -> dict[str, Any]:
    found = await bulk_action(session, bulk_id)
    return {"one": found, "words": DEEDS[found.deed][0]}


async def _asking(
    session: AsyncSession, visitor: Visitor, q: str, typed: dict[str, str], problems: Mapping[str, str]
) -> Response[None]:
    line, count, cost, wanted = printable(q).strip(), (0, True), Decimal(0), None
    try:
        wanted = Filter.read(line)
        refuse_everything(wanted)
        count = await counted(session, wanted, MOST_COUNTED, PATIENCE)
        cost = await spent_cents(session, jobs=retried(wanted, MOST_COUNTED))
    except Invalid as refusal:
        problems = refusal.fields
    return page(
        "board/bulk_asking.html",
        visitor=visitor,
        status=422 if problems else 200,
        q=line,
        count=count,
        deeds=[(one.value, *words) for one, words in DEEDS.items() if wanted is None or _can(one, wanted)],
        cost=cost,
        typed=typed,
        problems=problems,
        back=address(JOBS, q=line),
    )


def _can(deed: BulkDeed, wanted: Filter) -> bool:
    """Whether the deed can do something to what is in the states that were asked for."""
    return not wanted.states or not STATES[deed].isdisjoint(wanted.states)
