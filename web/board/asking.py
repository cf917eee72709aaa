"""Jobs that are asked for by hand: new ones, copies, and failed ones with other arguments. For admins."""

from typing import Any
from uuid import UUID

import orjson
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.base.clock import now
from models.base.errors import Conflict, Invalid, NotFound
from models.jobs import queries
from models.jobs.dead import check_args, duplicate, retry_edited
from models.jobs.enqueue import enqueue
from models.jobs.message import Job, kinds
from models.jobs.tables import LogRow
from web.board.addresses import JOBS
from web.board.forms import Asking, Editing, at_args, by_hand, changes, example, pretty
from web.forms import read, shown
from web.guards import admin
from web.jobs.types import OFFERS, TYPES
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor


class Asked(Controller):
    """What people ask the workers for themselves."""

    path = JOBS
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get("/new")
    async def choose(self, visitor: Who, kind: FromQuery[str] = "") -> Response[None]:
        """Which kind of job, and then the form for it with an example."""
        return _asking(visitor, kind, {}, {})

    @post("/new")
    async def ask(
        self, session: Transaction, visitor: Who, form: Submitted, kind: FromQuery[str] = ""
    ) -> Response[None]:
        """Ask for it."""
        if kind not in by_hand():
            raise NotFound
        message = by_hand()[kind]
        try:
            wish = read(Asking, form)
            check_args(message, wish.args)
            wanted = await _allowed(session, visitor, message.read(wish.args))
        except Invalid as refusal:
            return _asking(visitor, kind, shown(form), at_args(refusal))
        job_id = await enqueue(
            session,
            wanted,
            priority=wish.priority,
            run_at=wish.run_at,
            asked_by=visitor.somebody.id,
        )
        assert job_id is not None, "nothing is unique here"
        await audit(session, visitor.somebody, "job.asked", f"job/{job_id}", kind=kind)
        said = "It waits for its time." if wish.run_at else "It waits for a worker."
        return redirect(f"{JOBS}/{job_id}", notice=said)

    @post("/{job_id:uuid}/duplicate")
    async def copy(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> Response[None]:
        """Ask for the same once more."""
        new_id = await duplicate(session, job_id, visitor.somebody.id)
        await audit(session, visitor.somebody, "job.duplicated", f"job/{job_id}", copy=str(new_id))
        return redirect(f"{JOBS}/{new_id}", notice="This is the copy. It waits for a worker.")

    @get("/{job_id:uuid}/arguments")
    async def edit(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> Response[None]:
        """With which arguments should it run again?"""
        return await _editing(session, visitor, job_id)

    @post("/{job_id:uuid}/arguments")
    async def run_edited(
        self, session: Transaction, visitor: Who, form: Submitted, job_id: FromPath[UUID]
    ) -> Response[None]:
        """Let it run again with these."""
        job = (await queries.record(session, job_id)).job
        former = job.args
        try:
            args = read(Editing, form).args
            # What is refused leaves nothing in the audit log.
            async with session.begin_nested():
                if job.kind in TYPES:
                    message = kinds()[job.kind]
                    check_args(message, args)
                    args = (await _allowed(session, visitor, message.read(args))).args()
                await retry_edited(session, job_id, args)
        except Invalid as refusal:
            typed = shown(form).get("args")
            return await _editing(session, visitor, job_id, typed, at_args(refusal))
        except Conflict as refusal:
            return redirect(f"{JOBS}/{job_id}", refusal=refusal.words)
        # The audit log outlives people. What may name one stays with the job, for those who are shown what it carries.
        line = f"Other arguments. The former ones: {orjson.dumps(former).decode()}"
        session.add(LogRow(job_id=job_id, attempt=job.attempt, at=now(), line=line))
        changed = changes(former, args)
        await audit(session, visitor.somebody, "job.edited", f"job/{job_id}", kind=job.kind, changed=changed)
        return redirect(f"{JOBS}/{job_id}", notice="It waits for a worker again, with these arguments.")


async def _allowed(session: AsyncSession, visitor: Visitor, wanted: Job) -> Job:
    """What the API offers as well is allowed here as it is there. Raises `Invalid`, naming fields as `args.to`."""
    name = TYPES.get(wanted.kind)
    if name is None:
        return wanted
    try:
        return await OFFERS[name].allow(session, visitor.somebody, wanted)
    except Invalid as refusal:
        fields = {f"args.{field}": words for field, words in refusal.fields.items()}
        raise Invalid(fields, refusal.words) from refusal


def _asking(visitor: Visitor, kind: str, typed: dict[str, str], problems: Any) -> Response[None]:
    message = by_hand().get(kind)
    return page(
        "board/asking.html",
        visitor=visitor,
        status=422 if problems else 200,
        # What moves money or is the engine's own is not offered; by its address it can be asked for.
        kinds=[
            name
            for name, one in by_hand().items()
            if name == kind or not (one.holds_money or name.startswith("jobs."))
        ],
        kind=kind if message is not None else "",
        message=message,
        example=example(message) if message is not None else "",
        typed=typed,
        problems=problems,
    )


async def _editing(
    session: AsyncSession, visitor: Visitor, job_id: UUID, typed: str | None = None, problems: Any = None
) -> Response[None]:
    job = (await queries.record(session, job_id)).job
    return page(
        "board/editing.html",
        visitor=visitor,
        status=422 if problems else 200,
        job=job,
        typed=pretty(job.args) if typed is None else typed,
        problems=problems or {},
    )
