"""The page of one queue: how it went, what it is held to, how long it remembers, and stopping it."""

from datetime import timedelta
from functools import partial
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.jobs import board, limits, retention
from models.jobs.board import QueueView
from models.jobs.metrics import Span
from models.jobs.queues import end_silence, limit_queue, pause, resume
from models.jobs.retention import set_keep_days
from web.board.addresses import BOARD, JOBS, place_of
from web.board.charts import Drawings, Drawn, chosen, span_tabs
from web.board.forms import LIMIT, Keeping, Limiting, filled
from web.board.fresh import follow
from web.board.limits import changed
from web.forms import FormData, read, shown
from web.guards import admin, analyst, editor
from web.lists import address
from web.pages import page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor


class Queue(Controller):
    """One queue."""

    path = f"{BOARD}/{{queue:str}}"
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        drawings: Drawn,
        queue: FromPath[str],
        span: FromQuery[str] = "",
    ) -> Response[None]:
        """How it does now and did lately, and its latest jobs."""
        return await _shown(session, visitor, settings, drawings, queue, span)

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        settings: Config,
        pages: Templates,
        drawings: Drawn,
        queue: FromPath[str],
        span: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The same, as it changes."""
        await _the_queue(session, settings, queue)
        seen = partial(_seen, settings, drawings, queue, chosen(span))
        return follow(request, visitor, pages, "board/_queue.html", seen, topics=[f"queue/{queue}"])

    @post("/pause", guards=[editor])
    async def hold(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, queue: FromPath[str]
    ) -> Response[None]:
        """Let nothing of it begin any more, in any worker."""
        await _the_queue(session, settings, queue)
        await pause(session, queue)
        await audit(session, visitor.somebody, "queue.paused", f"queue/{queue}")
        said = f"Nothing of {queue} begins any more. What runs goes on."
        return redirect(_where_it_was_pressed(queue, form), notice=said)

    @post("/resumption", guards=[editor])
    async def go_on(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, queue: FromPath[str]
    ) -> Response[None]:
        """Let it go on."""
        await _the_queue(session, settings, queue)
        await resume(session, queue)
        await audit(session, visitor.somebody, "queue.resumed", f"queue/{queue}")
        return redirect(_where_it_was_pressed(queue, form), notice=f"{queue} goes on.")

    @post("/silence-end", guards=[editor])
    async def break_silence(
        self, session: Transaction, visitor: Who, settings: Config, queue: FromPath[str]
    ) -> Response[None]:
        """Let it go on before the time for which the other side asked."""
        await _the_queue(session, settings, queue)
        await end_silence(session, queue)
        await audit(session, visitor.somebody, "queue.silence_ended", f"queue/{queue}")
        return redirect(f"{BOARD}/{queue}", notice="It goes on.")

    @post("/limit", guards=[admin])
    async def limit(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        drawings: Drawn,
        form: Submitted,
        queue: FromPath[str],
    ) -> Response[None]:
        """Hold it to other limits from now on."""
        await _the_queue(session, settings, queue)
        again = partial(_shown, session, visitor, settings, drawings, queue)
        try:
            wish = read(Limiting, form)
            await limit_queue(session, queue, wish.limit, seen=wish.seen)
        except Invalid as refusal:
            return await again(typed=shown(form), problems=refusal.fields)
        except Conflict as refusal:
            # Of no field, but of the whole form, which has this id.
            return await again(typed=shown(form), problems={"limiting": refusal.words})
        await audit(session, visitor.somebody, "queue.limited", f"queue/{queue}", **changed(wish))
        return redirect(f"{BOARD}/{queue}", notice="These limits hold from now on, in every worker.")

    @post("/keeping", guards=[admin])
    async def keep(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        drawings: Drawn,
        form: Submitted,
        queue: FromPath[str],
    ) -> Response[None]:
        """Keep what has finished for so many days."""
        await _the_queue(session, settings, queue)
        again = partial(_shown, session, visitor, settings, drawings, queue)
        try:
            wish = read(Keeping, form)
            await set_keep_days(session, queue, wish.keep_days, seen=wish.seen)
        except Invalid as refusal:
            return await again(typed=shown(form), problems=refusal.fields)
        except Conflict as refusal:
            return await again(typed=shown(form), problems={"keep_days": refusal.words})
        detail = {"keep_days": wish.keep_days, "was": wish.seen}
        await audit(session, visitor.somebody, "queue.keeping", f"queue/{queue}", **detail)
        return redirect(f"{BOARD}/{queue}", notice="What has finished is kept for so long from now on.")


def _where_it_was_pressed(queue: str, form: FormData) -> str:
    """The overview, whose buttons say how far back it looks, or else the queue's own page."""
    sent = shown(form)
    return address(BOARD, span=sent["overview"]) if "overview" in sent else f"{BOARD}/{queue}"


async def _the_queue(session: AsyncSession, settings: Settings, name: str) -> QueueView:
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    found = await board.queues(session, lease, name)
    if not found:
        raise NotFound("There is no such queue.")
    return found[0]


async def _seen(
    settings: Settings, drawings: Drawings, name: str, span: Span, session: AsyncSession
) -> dict[str, Any]:
    return {
        "queue": await _the_queue(session, settings, name),
        "spans": span_tabs(f"{BOARD}/{name}", span),
        "charts": await drawings.charts(session, span, name),
        "latest": await board.latest(session, name),
        "all_jobs": address(JOBS, q=f"queue:{name}"),
        "place": place_of,
    }


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    drawings: Drawings,
    name: str,
    span: str = "",
    *,
    typed: dict[str, str] | None = None,
    problems: Any = None,
) -> Response[None]:
    seen = await _seen(settings, drawings, name, chosen(span), session)
    found: QueueView = seen["queue"]
    return page(
        "board/queue.html",
        visitor=visitor,
        status=422 if problems else 200,
        events=address(f"{BOARD}/{name}/events", span=span),
        typed=filled(found, (*LIMIT, "keep_days")) | (typed or {}),
        seen_limit=limits.told(found),
        seen_keeping=retention.told(found.keep_days),
        problems=problems or {},
        **seen,
    )
