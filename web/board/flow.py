"""The page of a flow: its jobs, who waits for whom, and pausing or ending all of them at once."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.errors import Conflict, NotFound
from models.base.settings import Settings
from models.jobs.flows import cancel_flow, drawing, pause_flow, resume_flow
from web.board.addresses import FLOWS, place_of
from web.board.drawing import draw
from web.board.fresh import follow
from web.board.payloads import sees_payload
from web.guards import analyst, editor
from web.pages import page, redirect
from web.params import Config, Templates, Transaction, Who
from web.visitor import Visitor

#: By the last word of the address: what is done, how it is written down, and what is said.
DEEDS: Final[dict[str, tuple[Callable[[AsyncSession, UUID], Awaitable[object]], str, str]]] = {
    "pause": (pause_flow, "flow.paused", "None of its jobs begins any more. What runs goes on."),
    "resumption": (resume_flow, "flow.resumed", "It goes on."),
    "cancellation": (
        cancel_flow,
        "flow.cancelled",
        "What had not begun is cancelled, what runs was asked to stop.",
    ),
}


class Flow(Controller):
    """Jobs that wait for each other."""

    path = f"{FLOWS}/{{flow_id:uuid}}"
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, settings: Config, flow_id: FromPath[UUID]
    ) -> Response[None]:
        """Its picture, and its jobs as a list."""
        return page("board/flow.html", visitor=visitor, **await _seen(settings, visitor, flow_id, session))

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        settings: Config,
        pages: Templates,
        flow_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, as it changes, until all of it has ended."""
        await drawing(session, flow_id)
        return follow(
            request,
            visitor,
            pages,
            "board/_flow.html",
            partial(_seen, settings, visitor, flow_id),
            topics=[f"flow/{flow_id}"],
            is_over=lambda seen: seen["picture"].flow.finished_at is not None,
        )

    @post("/{deed:str}", guards=[editor])
    async def act(
        self, session: Transaction, visitor: Who, flow_id: FromPath[UUID], deed: FromPath[str]
    ) -> Response[None]:
        """Hold it back, let it go on, or end it."""
        if deed not in DEEDS:
            raise NotFound
        do, action, said = DEEDS[deed]
        try:
            await do(session, flow_id)
        except Conflict as refusal:
            return redirect(f"{FLOWS}/{flow_id}", refusal=refusal.words)
        await audit(session, visitor.somebody, action, f"flow/{flow_id}")
        return redirect(f"{FLOWS}/{flow_id}", notice=said)


async def _seen(settings: Settings, visitor: Visitor, flow_id: UUID, session: AsyncSession) -> dict[str, Any]:
    picture = draw(await drawing(session, flow_id))
    return {
        "picture": picture,
        "place": place_of(picture.flow.subject),
        "sees_payload": sees_payload(visitor, settings),
    }
