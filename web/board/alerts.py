"""What is, or was, not as it should be with the jobs."""

from dataclasses import replace
from functools import partial
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.jobs.alerts import alerts, past_alerts
from models.jobs.board_tables import AlertRow
from models.jobs.states import AlertKind
from web.board.addresses import ALERTS, BOARD, JOBS, WORKERS
from web.board.fresh import follow
from web.guards import analyst
from web.lists import address, listed
from web.pages import page
from web.params import Templates, Transaction, Who


def subject_of(alert: AlertRow) -> str:
    """The page of what an alert is about: a queue, a job (`jobs/<id>`), the workers, or the jobs of a kind."""
    if alert.kind is AlertKind.DEAD_WORKER:
        return WORKERS
    if alert.kind is AlertKind.FAILURES:
        return address(JOBS, q=f"state:dead kind:{alert.subject}")
    if alert.kind is AlertKind.UNKNOWN_KIND:
        return address(JOBS, q=f"kind:{alert.subject}")
    return f"{BOARD}/{alert.subject}"


class Alerts(Controller):
    """The alerts that are open, then those that are over."""

    path = ALERTS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who, cursor: FromQuery[str] = "") -> Response[None]:
        """A page of them."""
        return page(
            "board/alerts.html",
            visitor=visitor,
            events=address(f"{ALERTS}/events", cursor=cursor),
            **await _seen(cursor, session),
        )

    @get("/events")
    async def events(
        self, request: Request[Any, Any, Any], visitor: Who, pages: Templates, cursor: FromQuery[str] = ""
    ) -> EventSourceResponse:
        """The same, as it changes."""
        return follow(request, visitor, pages, "board/_alerts.html", partial(_seen, cursor))


async def _seen(cursor: str, session: AsyncSession) -> dict[str, Any]:
    found = await past_alerts(session, cursor or None)
    if not cursor:
        found = replace(found, items=[*await alerts(session), *found.items])
    return {"subject_of": subject_of, **listed(found, ALERTS, cursor or None)}
