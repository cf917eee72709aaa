"""The list of jobs: by state, searched by qualifiers, page by page, and what is done to those that are ticked."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.errors import Invalid, Refusal
from models.base.settings import Settings
from models.jobs import board, queries
from models.jobs.filter import Filter
from models.jobs.queries import Sort
from models.jobs.states import JobState
from web.board.addresses import BULK, JOBS, place_of
from web.board.deeds import DEEDS
from web.board.fresh import EVERY, follow
from web.board.payloads import sees_payload
from web.board.searching import PATIENCE, completions, offered, understood, without
from web.forms import shown
from web.guards import analyst, editor
from web.lists import address, listed, printable
from web.pages import fragment, page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor

#: The states in the order of what needs somebody.
STATES: Final = {
    JobState.DEAD: "Dead",
    JobState.ACTIVE: "Running",
    JobState.WAITING: "Waiting",
    JobState.SCHEDULED: "Scheduled",
    JobState.COMPLETED: "Done",
    JobState.CANCELLED: "Cancelled",
}

#: What no index knows is looked for again after so many seconds: each time may take `PATIENCE`.
SLOWLY: Final = 10.0

#: How much of its arguments tells a job from its like.
ARGUMENTS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class _Looked:
    """Which jobs are looked at: those that were asked for, in an order, from a place on."""

    asked: str
    sort: Sort
    cursor: str

    @property
    def sort_asked(self) -> str:
        """The order as an address says it: the usual one is left out."""
        return "" if self.sort is Sort.NEWEST else self.sort.value

    def address(self, path: str) -> str:
        """`path` for the same jobs."""
        return address(path, q=self.asked, sort=self.sort_asked, cursor=self.cursor)


def _order(sort: str) -> Sort:
    return next((one for one in Sort if one.value == sort), Sort.NEWEST)


class Jobs(Controller):
    """What the workers were asked for."""

    path = JOBS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        q: FromQuery[str] = "",
        sort: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
    ) -> Response[None]:
        """A page of jobs. What cannot be understood of a search is said at its field, and nothing is searched for."""
        sees, problem = sees_payload(visitor, settings), None
        looked = _Looked(printable(q).strip(), _order(sort), cursor)
        try:
            seen = await _seen(settings, visitor, looked, session)
        except Invalid as refusal:
            if "q" not in refusal.fields:
                raise
            problem = refusal.fields["q"]
            tabs = await _tabs(session, None, "", looked.sort_asked)
            seen = {"asked": looked.asked, "tabs": tabs}
        return page(
            "board/jobs.html",
            visitor=visitor,
            status=422 if problem else 200,
            problem=problem,
            suggestions=completions(f"{looked.asked} ".lstrip(), sees_payload=sees),
            qualifiers=offered(sees_payload=sees),
            events=looked.address(f"{JOBS}/events"),
            **seen,
        )

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        settings: Config,
        pages: Templates,
        q: FromQuery[str] = "",
        sort: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same jobs, as they change; less often where looking takes more than an index."""
        looked = _Looked(printable(q).strip(), _order(sort), cursor)
        wanted = understood(looked.asked, sees_payload=sees_payload(visitor, settings))
        is_quick = wanted.is_indexed and looked.sort is not Sort.LONGEST
        return follow(
            request,
            visitor,
            pages,
            "board/_jobs.html",
            partial(_seen, settings, visitor, looked),
            every=EVERY if is_quick else SLOWLY,
        )

    @get("/completions")
    async def complete(self, visitor: Who, settings: Config, q: FromQuery[str] = "") -> Response[None]:
        """How what is typed into the search may go on."""
        found = completions(printable(q), sees_payload=sees_payload(visitor, settings))
        return fragment("board/_q_suggestions.html", visitor=visitor, suggestions=found)

    @post("/selection", guards=[editor])
    async def act(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Do one thing to each job that was ticked. Those that refuse it are left alone, and counted with a reason."""
        sent = shown(form)
        looked = _Looked(printable(sent.get("q", "")), _order(sent.get("sort", "")), sent.get("cursor", ""))
        name, back, done = sent.get("deed", ""), looked.address(JOBS), 0
        refusals: list[str] = []
        deed = DEEDS.get(name)
        if deed is None or not visitor.has_role(deed.role) or not (ticked := _ids(form.get("job", ()))):
            return redirect(back, refusal="Tick the jobs first, then choose what to do.")
        if name == "deletion" and "sure" not in sent:
            url = f"{JOBS}/selection"
            return page("board/deleting.html", visitor=visitor, ids=ticked, url=url, looked=looked, back=back)
        for job_id in ticked:
            try:
                async with session.begin_nested():
                    await deed.perform(session, job_id, visitor.somebody)
                done += 1
            except Refusal as refusal:
                refusals.append(refusal.words)
        rest = ""
        if refusals:
            was = "was" if len(refusals) == 1 else "were"
            rest = f" {len(refusals)} could not, and {was} left alone: {refusals[0]}"
        return redirect(back, notice=f"{deed.words}: {done} of {len(ticked)}.{rest}")


async def _seen(
    settings: Settings, visitor: Visitor, looked: _Looked, session: AsyncSession
) -> dict[str, Any]:
    sees = sees_payload(visitor, settings)
    asked, order = looked.asked, looked.sort
    wanted, sort = understood(asked, sees_payload=sees), looked.sort_asked
    patience = PATIENCE if looked.cursor else queries.SOON
    found = await queries.jobs(session, wanted, sort=order, cursor=looked.cursor or None, patience=patience)
    silent = [one.id for one in found.items if not one.error and not one.words]
    return {
        "looked": looked,
        "asked": asked,
        "tabs": await _tabs(session, wanted, asked, sort),
        "by_age": address(JOBS, q=asked, sort="" if sort else Sort.OLDEST.value),
        "by_time": address(JOBS, q=asked, sort=Sort.LONGEST.value),
        "bulk": address(f"{BULK}/new", q=asked),
        "sees_payload": sees,
        # All of them, whatever is on the page now: a button must not become another one under the pointer.
        "deeds": {
            name: one.words for name, one in DEEDS.items() if found.items and visitor.has_role(one.role)
        },
        "place": place_of,
        "args": await queries.arguments_of(session, silent, ARGUMENTS_SHOWN) if sees and silent else {},
        "stretch": queries.STRETCH,
        **listed(found, JOBS, looked.cursor or None, q=asked, sort=sort),
    }


async def _tabs(
    session: AsyncSession, wanted: Filter | None, asked: str, sort: str
) -> list[tuple[str, str, bool, int | None]]:
    """The states, each with its number of jobs unless something else is searched for: that is not counted, nor are those
    that are done, of which there are always more than anybody counts. None of them is chosen by what was not understood.
    """
    rest = without(asked, "state")
    tabs: list[tuple[str, str, bool, int | None]] = [
        ("All", address(JOBS, q=rest, sort=sort), wanted is not None and not wanted.states, None)
    ]
    numbers = {} if rest else await board.counts(session, STATES.keys() - {JobState.COMPLETED})
    states = wanted.states if wanted else ()
    for state, words in STATES.items():
        there = address(JOBS, q=f"state:{state.value} {rest}".strip(), sort=sort)
        tabs.append((words, there, states == (state,), numbers.get(state)))
    return tabs


def _ids(sent: Any) -> list[UUID]:
    found = []
    for one in sent:
        try:
            found.append(UUID(one))
        except ValueError:
            continue
    return found
