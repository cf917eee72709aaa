"""The page of one job, and what can be done about it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import history_of
from models.accounts.states import Role
from models.base.clock import now
from models.base.errors import Conflict, NotFound
from models.base.settings import Settings
from models.everything import EFFECTS
from models.jobs import queries
from models.jobs.effects import Effect
from models.jobs.estimates import pace
from models.jobs.flows import drawing
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow
from models.jobs.waiting import why_waiting
from web.board.addresses import JOBS, place_of
from web.board.deeds import DEEDS
from web.board.drawing import draw
from web.board.forms import pretty
from web.board.history import told
from web.board.overview import EVERY
from web.guards import analyst, editor
from web.live import Moment, stream
from web.pages import page, redirect
from web.params import Config, Templates, Transaction, Who
from web.visitor import Visitor


class OneJob(Controller):
    """One job."""

    path = f"{JOBS}/{{job_id:uuid}}"
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, settings: Config, job_id: FromPath[UUID]
    ) -> Response[None]:
        """Where it stands, why it waits, what went wrong, what it carries and what its runner wrote."""
        return page("board/job.html", visitor=visitor, **await _seen(session, settings, visitor, job_id))

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        settings: Config,
        pages: Templates,
        job_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, as it changes, until it has ended."""
        await queries.record(session, job_id)

        async def look(session: AsyncSession) -> Moment:
            seen = await _seen(session, settings, visitor, job_id)
            html = pages.render("board/_job.html", visitor=visitor, **seen)
            return Moment(html, is_last=seen["job"].state not in UNFINISHED)

        return stream(request, [f"job/{job_id}"], look, visitor=visitor, every=EVERY)

    @post("/{deed:str}", guards=[editor])
    async def act(
        self, session: Transaction, visitor: Who, job_id: FromPath[UUID], deed: FromPath[str]
    ) -> Response[None]:
        """Do it. Pressed twice, the page says how the job stands."""
        if deed not in DEEDS or not visitor.has_role(DEEDS[deed].role):
            raise NotFound
        try:
            await DEEDS[deed].perform(session, job_id, visitor.somebody)
        except Conflict as refusal:
            return redirect(f"{JOBS}/{job_id}", notice=refusal.words)
        there = JOBS if deed == "deletion" else f"{JOBS}/{job_id}"
        return redirect(there, notice=DEEDS[deed].said)


async def _seen(session: AsyncSession, settings: Settings, visitor: Visitor, job_id: UUID) -> dict[str, Any]:
    record = await queries.record(session, job_id)
    job = record.job
    is_waiting = job.state in {JobState.SCHEDULED, JobState.WAITING}
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    sees_payload = visitor.has_role(Role.EDITOR)
    return {
        "job": job,
        "args": pretty(job.args),
        "effects": await _effects(session, job) if sees_payload else [],
        "result": None if job.result is None else pretty(job.result),
        "record": record,
        "reasons": await why_waiting(session, job, lease) if is_waiting else [],
        "left": await _left(session, job),
        "events": told(record, await history_of(session, f"job/{job_id}")),
        "flow": draw(await drawing(session, job.flow_id)) if job.flow_id else None,
        "deeds": {name: one for name, one in DEEDS.items() if one.is_offered(job, visitor)},
        "place": place_of(job.subject),
        "sees_payload": sees_payload,
        "can_change": visitor.has_role(Role.ADMIN),
    }


async def _effects(session: AsyncSession, job: JobRow) -> list[Effect]:
    try:
        return await EFFECTS[job.kind](session, job) if job.kind in EFFECTS else []
    except msgspec.ValidationError:
        return []


async def _left(session: AsyncSession, job: JobRow) -> timedelta | None:
    """How long a running job has still to go: by its own steps, or as long as its kind usually takes."""
    if job.state is not JobState.ACTIVE or job.started_at is None:
        return None
    gone = now() - job.started_at
    if job.done and job.total:
        return gone * (job.total - job.done) / job.done
    usual = await pace(session, job.kind, job.queue)
    return usual.run_usual - gone if usual is not None and usual.run_usual > gone else None
