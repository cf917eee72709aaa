"""The page of one job, and what can be done about it."""

from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import history_of
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import Conflict, NotFound
from models.base.settings import Settings
from models.everything import EFFECTS
from models.jobs import board, queries
from models.jobs.bulk import done_to
from models.jobs.dead import refuse_held
from models.jobs.effects import Effect
from models.jobs.flows import drawing
from models.jobs.lines import lines
from models.jobs.message import kinds
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow
from models.jobs.waiting import why_waiting
from web.board.addresses import JOBS, place_of
from web.board.deeds import DEEDS
from web.board.drawing import draw
from web.board.forms import pretty
from web.board.fresh import follow
from web.board.history import in_bulk, patience, put_off, told, tries, waited
from web.board.payloads import sees_payload
from web.guards import admin, analyst, editor
from web.lists import listed
from web.pages import page, redirect
from web.params import Config, Templates, Transaction, Who
from web.visitor import Visitor

#: Of the lines that its runner wrote, the page itself shows the latest.
LINES_HERE: Final = 100
#: What is refused for a job that works for somebody who has paid.
REFUSED_IF_KEPT: Final = frozenset({"cancellation", "deletion"})


class OneJob(Controller):
    """One job."""

    path = f"{JOBS}/{{job_id:uuid}}"
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, settings: Config, job_id: FromPath[UUID]
    ) -> Response[None]:
        """Where it stands, why it waits, what went wrong, what it carries and what its runner wrote."""
        return page("board/job.html", visitor=visitor, **await _seen(settings, visitor, job_id, session))

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
        return follow(
            request,
            visitor,
            pages,
            "board/_job.html",
            partial(_seen, settings, visitor, job_id),
            topics=[f"job/{job_id}"],
            is_over=lambda seen: seen["job"].state not in UNFINISHED,
        )

    @get("/lines")
    async def written(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        job_id: FromPath[UUID],
        cursor: FromQuery[str] = "",
    ) -> Response[None]:
        """All that its runner wrote, the latest page first."""
        if not sees_payload(visitor, settings):
            raise NotFound
        found = await lines(session, job_id, cursor or None)
        job = (await queries.record(session, job_id)).job
        listing = listed(found, f"{JOBS}/{job_id}/lines", cursor or None)
        return page("board/lines.html", visitor=visitor, job=job, **listing)

    @get("/deleting", guards=[admin])
    async def ask_to_delete(
        self, session: Transaction, visitor: Who, job_id: FromPath[UUID]
    ) -> Response[None]:
        """What deleting means, and the button."""
        here = f"{JOBS}/{job_id}"
        return page(
            "board/deleting.html",
            visitor=visitor,
            job=(await queries.record(session, job_id)).job,
            ids=[job_id],
            url=f"{here}/deletion",
            looked=None,
            back=here,
        )

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
            return redirect(f"{JOBS}/{job_id}", refusal=refusal.words)
        there = JOBS if deed == "deletion" else f"{JOBS}/{job_id}"
        job = await session.get(JobRow, job_id)
        is_asked = deed == "cancellation" and job is not None and job.state is JobState.ACTIVE
        return redirect(there, notice="It was asked to stop." if is_asked else DEEDS[deed].said)


async def _seen(settings: Settings, visitor: Visitor, job_id: UUID, session: AsyncSession) -> dict[str, Any]:
    record = await queries.record(session, job_id)
    job = record.job
    is_waiting = job.state in {JobState.SCHEDULED, JobState.WAITING}
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    is_shown = sees_payload(visitor, settings)
    attempts = tries(record)
    kind, workers = kinds().get(job.kind), {one.worker_id for one in attempts if one.worker_id}
    kept = _kept(job)
    done = await done_to(session, job_id)
    asked_by = await _asked_by(session, job, visitor)
    asker = asked_by.email if asked_by else "A person" if job.asked_by else None
    return {
        "job": job,
        "args": pretty(job.args),
        "effects": await _effects(session, job) if is_shown else [],
        "result": None if job.result is None else pretty(job.result),
        "reasons": await why_waiting(session, job, lease, tells_key=is_shown) if is_waiting else [],
        "left": await queries.time_left(session, job, job.done, job.total),
        "attempts": attempts,
        "waited": waited(record),
        "workers": await board.names_of(session, workers),
        "patience": patience(kind, job.max_attempts) if kind else None,
        "asked_by": asked_by,
        "lines": record.lines[-LINES_HERE:],
        "has_more_lines": len(record.lines) > LINES_HERE,
        "events": told(
            record,
            await history_of(session, f"job/{job_id}"),
            [
                *put_off(
                    await queries.snoozes_of(session, job_id) if job.snoozes else (), tells_why=is_shown
                ),
                *in_bulk(done, await _emails_of(session, {one.asked_by for one, _ in done}, visitor)),
            ],
            asker,
        ),
        "flow": draw(await drawing(session, job.flow_id)) if job.flow_id else None,
        "deeds": {
            name: one
            for name, one in DEEDS.items()
            if one.is_offered(job, visitor) and not (kept and name in REFUSED_IF_KEPT)
        },
        "kept": kept,
        "place": place_of(job.subject),
        "sees_payload": is_shown,
        "can_change": visitor.has_role(Role.ADMIN),
    }


def _kept(job: JobRow) -> str | None:
    """Why the job can be neither cancelled nor deleted, if that is so."""
    try:
        refuse_held(job)
    except Conflict as refusal:
        return refusal.words
    return None


async def _asked_by(session: AsyncSession, job: JobRow, visitor: Visitor) -> Person | None:
    """Who asked by hand or by the API. For admins, who may look at people."""
    if job.asked_by is None or not visitor.has_role(Role.ADMIN):
        return None
    return await session.get(Person, job.asked_by)


async def _emails_of(
    session: AsyncSession, person_ids: Collection[UUID], visitor: Visitor
) -> dict[UUID, str]:
    """The addresses of these people. For admins, who may look at them."""
    if not person_ids or not visitor.has_role(Role.ADMIN):
        return {}
    rows = await session.execute(select(Person.id, Person.email).where(Person.id.in_(person_ids)))
    return {row.id: row.email for row in rows}


async def _effects(session: AsyncSession, job: JobRow) -> list[Effect]:
    try:
        return await EFFECTS[job.kind](session, job) if job.kind in EFFECTS else []
    except msgspec.ValidationError:
        return []
