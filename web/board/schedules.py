"""What happens by the clock: when it does so next, and changing that. For admins to change."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.clock import now
from models.base.errors import Conflict, Invalid, NotFound
from models.everything import SCHEDULES as KNOWN
from models.jobs import schedules
from models.jobs.cron import next_fires
from models.jobs.message import MAX_ARGS_BYTES
from models.jobs.queries import latest_of
from models.jobs.schedules import Schedule, ScheduleView, subject_of
from web.board.addresses import JOBS, SCHEDULES
from web.board.forms import arguments, at_args, by_hand, changes, example, pretty
from web.board.fresh import RARELY, follow
from web.board.rhythm import in_words
from web.forms import read, shown, text
from web.guards import admin, analyst
from web.lists import address, listed
from web.pages import page, redirect
from web.params import Submitted, Templates, Transaction, Who
from web.visitor import Visitor

#: The next moments that a schedule's page tells.
SHOWN: Final = 3
#: What stands where a name does in an address. A schedule of such a name could not be opened, so not be removed.
_TAKEN: Final = frozenset({"new", "events"})
_CRON: Final = text("Enter when: five fields, like 0 6 * * 1-5.", max_length=100)
_ZONE: Final = text("Enter a time zone, like Europe/Berlin or UTC.", max_length=60)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When something happens."""

    cron: Annotated[str, _CRON]
    zone: Annotated[str, _ZONE]
    #: What it was when the form was opened.
    seen: Annotated[str, text(max_length=2 * MAX_ARGS_BYTES)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wholly(Rhythm):
    """When something of one's own happens, and with which arguments."""

    args: Annotated[dict[str, Any], arguments]


def _name(typed: str) -> str:
    if typed in _TAKEN:
        raise ValueError(f"The board has a page called {typed}. Choose another name.")
    return typed


@dataclass(frozen=True, slots=True)
class Own:
    """A schedule of one's own."""

    name: Annotated[str, text("Name it.", max_length=60, then=_name)]
    kind: Annotated[str, text("Choose a kind.")]
    args: Annotated[dict[str, Any], arguments]
    cron: Annotated[str, _CRON]
    zone: Annotated[str, _ZONE]


#: By the last word of the address: what is done, how it is written down, and what is said.
Do = Callable[[AsyncSession, Sequence[Schedule], str], Awaitable[object]]
DEEDS: Final[dict[str, tuple[Do, str, str]]] = {
    "pause": (schedules.pause, "schedule.paused", "It does not happen until it is resumed."),
    "resumption": (schedules.resume, "schedule.resumed", "It happens again, next as it says."),
    "restoration": (schedules.restore, "schedule.restored", "It is as the product has it."),
    "removal": (
        lambda session, _, name: schedules.remove(session, name),
        "schedule.removed",
        "It is removed. Jobs that it asked for stay.",
    ),
}


class Schedules(Controller):
    """What happens by the clock."""

    path = SCHEDULES
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who, cursor: FromQuery[str] = "") -> Response[None]:
        """Each, with when it happens next."""
        events = address(f"{SCHEDULES}/events", cursor=cursor)
        return page("board/schedules.html", visitor=visitor, events=events, **await _seen(cursor, session))

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        pages: Templates,
        cursor: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as it changes."""
        seen = partial(_seen, cursor)
        return follow(request, visitor, pages, "board/_schedules.html", seen, every=RARELY)

    @get("/new", guards=[admin])
    async def describe(self, visitor: Who) -> Response[None]:
        """What should happen, and when?"""
        return _making(visitor, {"zone": "UTC", "args": "{}"}, {})

    @post("/new", guards=[admin])
    async def make(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Let it happen from now on."""
        try:
            own = read(Own, form)
            await schedules.create(
                session,
                KNOWN,
                own.name,
                kind=own.kind,
                args=own.args,
                cron=own.cron,
                zone=own.zone,
                made_by=visitor.somebody.id,
            )
        except Invalid as refusal:
            return _making(visitor, shown(form), at_args(refusal))
        await audit(session, visitor.somebody, "schedule.made", f"schedule/{own.name}", cron=own.cron)
        return redirect(SCHEDULES, notice=f"{own.name} happens from now on.")

    @get("/{name:str}", guards=[admin])
    async def edit(self, session: Transaction, visitor: Who, name: FromPath[str]) -> Response[None]:
        """When should it happen?"""
        found = await _the_schedule(session, name)
        typed = {"cron": found.cron or "", "zone": found.zone or "UTC", "args": pretty(found.args)}
        return _editing(visitor, found, typed, {})

    @post("/{name:str}", guards=[admin])
    async def change(
        self, session: Transaction, visitor: Who, form: Submitted, name: FromPath[str]
    ) -> Response[None]:
        """Let it happen then."""
        found = await _the_schedule(session, name)
        try:
            rhythm = read(Wholly if found.is_own else Rhythm, form)
            args = rhythm.args if isinstance(rhythm, Wholly) else None
            await schedules.edit(session, KNOWN, name, rhythm.cron, rhythm.zone, seen=rhythm.seen, args=args)
        except Invalid as refusal:
            return _editing(visitor, found, shown(form), at_args(refusal))
        except Conflict as refusal:
            return _editing(visitor, found, shown(form), {"cron": refusal.words})
        await audit(
            session,
            visitor.somebody,
            "schedule.edited",
            f"schedule/{name}",
            cron=rhythm.cron,
            zone=rhythm.zone,
            was=in_words(found),
            changed=None if args is None else changes(found.args, args),
        )
        return redirect(SCHEDULES, notice=f"{name} happens as you said from now on.")

    @post("/{name:str}/run", guards=[admin])
    async def run(self, session: Transaction, visitor: Who, name: FromPath[str]) -> Response[None]:
        """Let it happen now, beside what the clock says."""
        job_id = await schedules.run_now(session, KNOWN, name, visitor.somebody.id)
        if job_id is None:
            return redirect(SCHEDULES, refusal=f"A job of {name} waits or runs already.")
        await audit(session, visitor.somebody, "schedule.run", f"schedule/{name}")
        return redirect(f"{JOBS}/{job_id}", notice="It waits for a worker.")

    @post("/{name:str}/{deed:str}", guards=[admin])
    async def act(
        self, session: Transaction, visitor: Who, name: FromPath[str], deed: FromPath[str]
    ) -> Response[None]:
        """Hold it back, let it go on, or undo what was changed."""
        if deed not in DEEDS:
            raise NotFound
        do, action, said = DEEDS[deed]
        try:
            await do(session, KNOWN, name)
        except Conflict as refusal:
            return redirect(SCHEDULES, refusal=refusal.words)
        await audit(session, visitor.somebody, action, f"schedule/{name}")
        return redirect(SCHEDULES, notice=said)


async def _seen(cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await schedules.page_of_schedules(session, KNOWN, now(), cursor=cursor or None)
    latest = await latest_of(session, [subject_of(one.name) for one in found.items])
    rows = [(one, in_words(one), latest.get(subject_of(one.name))) for one in found.items]
    return listed(found, SCHEDULES, cursor or None) | {"rows": rows}


async def _the_schedule(session: AsyncSession, name: str) -> ScheduleView:
    found = next(
        (one for one in await schedules.all_schedules(session, KNOWN, now()) if one.name == name), None
    )
    if found is None:
        raise NotFound("There is no such schedule.")
    return found


def _making(visitor: Visitor, typed: dict[str, str], problems: Any) -> Response[None]:
    examples = {kind: example(message) for kind, message in by_hand().items()}
    return page(
        "board/schedule_making.html",
        visitor=visitor,
        status=422 if problems else 200,
        kinds=[("", "Choose a kind"), *((kind, kind) for kind in examples)],
        examples=examples,
        typed=typed,
        problems=problems,
    )


def _editing(visitor: Visitor, found: ScheduleView, typed: dict[str, str], problems: Any) -> Response[None]:
    return page(
        "board/schedule_editing.html",
        visitor=visitor,
        status=422 if problems else 200,
        schedule=found,
        zone=ZoneInfo(found.zone or "UTC"),
        coming=next_fires(found.cron, found.zone, now(), SHOWN) if found.cron and found.zone else [],
        typed=typed,
        problems=problems,
    )
