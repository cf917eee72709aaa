"""The page of one queue: how it went, what it is held to, how long it remembers, and stopping it."""

from datetime import timedelta
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.jobs import board, limits, queries, retention
from models.jobs.board import QueueView
from models.jobs.filter import Filter
from models.jobs.metrics import Span, history
from models.jobs.queues import limit_queue, pause, resume
from models.jobs.retention import set_keep_days
from web.board.addresses import BOARD, JOBS, place_of
from web.board.charts import charts
from web.board.forms import LIMIT, Keeping, Limiting, filled
from web.forms import read, shown
from web.guards import admin, analyst, editor
from web.lists import address
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

SPANS: Final = {Span.HOUR: "Last hour", Span.DAY: "24 hours", Span.WEEK: "7 days"}
#: Of the latest jobs, on a page that is about all of them.
SHOWN: Final = 10


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
        queue: FromPath[str],
        span: FromQuery[str] = "",
    ) -> Response[None]:
        """How it does now and did lately, and its latest jobs."""
        found = await _the_queue(session, settings, queue)
        return await _shown(session, visitor, found, span)

    @post("/pause", guards=[editor])
    async def hold(
        self, session: Transaction, visitor: Who, settings: Config, queue: FromPath[str]
    ) -> Response[None]:
        """Let nothing of it begin any more, in any worker."""
        await _the_queue(session, settings, queue)
        await pause(session, queue)
        await audit(session, visitor.somebody, "queue.paused", f"queue/{queue}")
        return redirect(f"{BOARD}/{queue}", notice="Nothing of it begins any more. What runs goes on.")

    @post("/resumption", guards=[editor])
    async def go_on(
        self, session: Transaction, visitor: Who, settings: Config, queue: FromPath[str]
    ) -> Response[None]:
        """Let it go on."""
        await _the_queue(session, settings, queue)
        await resume(session, queue)
        await audit(session, visitor.somebody, "queue.resumed", f"queue/{queue}")
        return redirect(f"{BOARD}/{queue}", notice="It goes on.")

    @post("/limit", guards=[admin])
    async def limit(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, queue: FromPath[str]
    ) -> Response[None]:
        """Hold it to other limits from now on."""
        found = await _the_queue(session, settings, queue)
        try:
            wish = read(Limiting, form)
            await limit_queue(session, queue, wish.limit, seen=wish.seen)
        except Invalid as refusal:
            return await _shown(session, visitor, found, "", typed=shown(form), problems=refusal.fields)
        except Conflict as refusal:
            # Of no field, but of the whole form, which has this id.
            problems = {"limiting": refusal.words}
            return await _shown(session, visitor, found, "", typed=shown(form), problems=problems)
        detail = {"max_running": wish.max_running, "rate": wish.rate_count, "seconds": wish.rate_seconds}
        await audit(session, visitor.somebody, "queue.limited", f"queue/{queue}", **detail)
        return redirect(f"{BOARD}/{queue}", notice="These limits hold from now on, in every worker.")

    @post("/keeping", guards=[admin])
    async def keep(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, queue: FromPath[str]
    ) -> Response[None]:
        """Keep what has finished for so many days."""
        found = await _the_queue(session, settings, queue)
        try:
            wish = read(Keeping, form)
            await set_keep_days(session, queue, wish.keep_days, seen=wish.seen)
        except Invalid as refusal:
            return await _shown(session, visitor, found, "", typed=shown(form), problems=refusal.fields)
        except Conflict as refusal:
            problems = {"keep_days": refusal.words}
            return await _shown(session, visitor, found, "", typed=shown(form), problems=problems)
        await audit(session, visitor.somebody, "queue.keeping", f"queue/{queue}", keep_days=wish.keep_days)
        return redirect(f"{BOARD}/{queue}", notice="What has finished is kept for so long from now on.")


async def _the_queue(session: AsyncSession, settings: Settings, name: str) -> QueueView:
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    found = await board.queues(session, lease, name)
    if not found:
        raise NotFound("There is no such queue.")
    return found[0]


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    found: QueueView,
    span: str,
    *,
    typed: dict[str, str] | None = None,
    problems: Any = None,
) -> Response[None]:
    chosen = Span.__members__.get(span.upper(), Span.HOUR)
    latest = await queries.jobs(session, Filter(queue=found.name))
    return page(
        "board/queue.html",
        visitor=visitor,
        status=422 if problems else 200,
        queue=found,
        spans=[
            (words, address(f"{BOARD}/{found.name}", span=one.name.lower()), one is chosen, None)
            for one, words in SPANS.items()
        ],
        charts=charts(await history(session, chosen, queue=found.name), chosen),
        latest=latest.items[:SHOWN],
        all_jobs=address(JOBS, q=f"queue:{found.name}"),
        place=place_of,
        typed=filled(found, (*LIMIT, "keep_days")) | (typed or {}),
        seen_limit=limits.told(found),
        seen_keeping=retention.told(found.keep_days),
        problems=problems or {},
    )
