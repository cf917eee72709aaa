"""The jobs, so that somebody can see what died and let it run again."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.audit import audit
from models.base.errors import Conflict
from models.jobs import queries
from models.jobs.actions import retry
from models.jobs.message import kinds
from models.jobs.states import JobState
from web.guards import editor
from web.orders.admin.forms import one_of
from web.orders.forms import first_values
from web.pages import page, redirect
from web.params import Transaction, Who

LIST: Final = "/admin/jobs"
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

    path = LIST
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of jobs, by state and kind."""
        fields = first_values(request.query_params.multi_items())
        state = one_of(JobState, fields.get("state", ""))
        kind = fields.get("kind", "") if fields.get("kind", "") in kinds() else ""
        found = await queries.jobs(session, state=state, kind=kind, cursor=cursor or None)
        counts = await queries.counts(session)
        tabs: list[tuple[str, str, bool, int | None]] = [("All", _address(None, kind), state is None, None)]
        tabs += [(words, _address(one, kind), one is state, counts[one]) for one, words in STATES.items()]
        return page(
            "orders/admin/jobs.html",
            visitor=visitor,
            rows=found.items,
            state=state,
            kind=kind,
            kinds=[("", "Any"), *((one, one) for one in sorted(kinds()))],
            tabs=tabs,
            place=place_of,
            first=_address(state, kind) if cursor else None,
            more=_address(state, kind, found.next_cursor) if found.next_cursor else None,
        )

    @get("/{job_id:uuid}")
    async def show(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> Response[None]:
        """One job, with what went wrong and what its runner wrote."""
        record = await queries.record(session, job_id)
        return page("orders/admin/job.html", visitor=visitor, record=record, place=place_of)

    @post("/{job_id:uuid}/retry")
    async def again(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> Response[None]:
        """Let a dead job run again. Pressed twice, it shows how it stands."""
        assert visitor.person is not None
        try:
            await retry(session, job_id)
        except Conflict as refusal:
            return redirect(f"{LIST}/{job_id}", notice=refusal.words)
        await audit(session, visitor.person, "job.retried", f"job/{job_id}")
        return redirect(f"{LIST}/{job_id}", notice="It waits for a worker again.")


def place_of(subject: str | None) -> str | None:
    """The page of what a job is about, where there is one."""
    kind, _, name = (subject or "").partition("/")
    return f"/admin/orders/{name}" if kind == "order" else None


def _address(state: JobState | None, kind: str, cursor: str | None = None) -> str:
    fields = {"state": state.value if state else "", "kind": kind, "cursor": cursor or ""}
    asked = {name: value for name, value in fields.items() if value}
    return LIST + (f"?{urlencode(asked)}" if asked else "")
