"""The list of jobs: by state, searched by qualifiers, page by page, and what is done to those that are ticked."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid, Refusal
from models.base.paging import Page
from models.jobs import board, queries
from models.jobs.filter import Filter
from models.jobs.queries import Sort
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from web.board.addresses import BULK, JOBS, place_of
from web.board.deeds import DEEDS
from web.board.payloads import sees_payload
from web.board.searching import PATIENCE, completions, offered, understood, without
from web.guards import analyst, editor
from web.lists import address, listed, printable
from web.pages import fragment, page, redirect
from web.params import Config, Submitted, Transaction, Who

#: The states in the order of what needs somebody.
STATES: Final = {
    JobState.DEAD: "Dead",
    JobState.ACTIVE: "Running",
    JobState.WAITING: "Waiting",
    JobState.SCHEDULED: "Scheduled",
    JobState.COMPLETED: "Done",
    JobState.CANCELLED: "Cancelled",
}


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
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of jobs. What cannot be understood of a search is said at its field, and nothing is searched for."""
        asked, problem, wanted = printable(q).strip(), None, Filter()
        sees = sees_payload(visitor, settings)
        try:
            wanted = understood(asked, sees_payload=sees)
        except Invalid as refusal:
            problem = refusal.fields["q"]
        order = next((one for one in Sort if one.value == sort), Sort.NEWEST)
        sort = "" if order is Sort.NEWEST else order.value
        found: Page[JobRow] = Page((), None)
        if problem is None:
            found = await queries.jobs(session, wanted, sort=order, cursor=cursor or None, patience=PATIENCE)
        return page(
            "board/jobs.html",
            visitor=visitor,
            status=422 if problem else 200,
            asked=asked,
            problem=problem,
            tabs=await _tabs(session, wanted, asked, sort),
            sort=order.value,
            by_age=address(JOBS, q=asked, sort="" if sort else Sort.OLDEST.value),
            by_time=address(JOBS, q=asked, sort=Sort.LONGEST.value),
            suggestions=completions(f"{asked} ".lstrip(), sees_payload=sees),
            bulk=address(f"{BULK}/new", q=asked),
            qualifiers=offered(sees_payload=sees),
            sees_payload=sees,
            deeds={name: one.words for name, one in DEEDS.items() if visitor.has_role(one.role)},
            place=place_of,
            stretch=queries.STRETCH,
            **listed(found, JOBS, cursor, q=asked, sort=sort),
        )

    @get("/completions")
    async def complete(self, visitor: Who, settings: Config, q: FromQuery[str] = "") -> Response[None]:
        """How what is typed into the search may go on."""
        found = completions(printable(q), sees_payload=sees_payload(visitor, settings))
        return fragment("board/_q_suggestions.html", visitor=visitor, suggestions=found)

    @post("/selection", guards=[editor])
    async def act(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Do one thing to each job that was ticked. Those that it comes too late for are left alone, and counted."""
        deed, done, refused = DEEDS.get(form.get("deed", [""])[0]), 0, 0
        back = address(JOBS, q=printable(form.get("q", [""])[0]))
        if deed is None or not visitor.has_role(deed.role) or not (ticked := _ids(form.get("job", ()))):
            return redirect(back, notice="Tick the jobs first, then choose what to do.")
        for job_id in ticked:
            try:
                async with session.begin_nested():
                    await deed.perform(session, job_id, visitor.somebody)
                done += 1
            except Refusal:
                refused += 1
        rest = f" {refused} had changed meanwhile and were left alone." if refused else ""
        return redirect(back, notice=f"{deed.words}: {done} of {len(ticked)}.{rest}")


async def _tabs(
    session: AsyncSession, wanted: Filter, asked: str, sort: str
) -> list[tuple[str, str, bool, int | None]]:
    """The states, each with its number of jobs unless something else is searched for: that is not counted."""
    rest = without(asked, "state")
    tabs: list[tuple[str, str, bool, int | None]] = [
        ("All", address(JOBS, q=rest, sort=sort), not wanted.states, None)
    ]
    numbers = {} if rest else await board.counts(session)
    for state, words in STATES.items():
        there = address(JOBS, q=f"state:{state.value} {rest}".strip(), sort=sort)
        tabs.append((words, there, wanted.states == (state,), numbers.get(state)))
    return tabs


def _ids(sent: Any) -> list[UUID]:
    found = []
    for one in sent:
        try:
            found.append(UUID(one))
        except ValueError:
            continue
    return found
