"""Jobs for machines: ask for one, follow it, look back. A person's programs see what that person asked for."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.accounts.idempotency import claim_key
from models.accounts.states import Role, Scope
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Conflict, Gone, NotFound
from models.jobs import Wish, enqueue_all, progress, queries
from models.jobs.asked import Looked, asked_counts, asked_job, asked_jobs
from models.jobs.board import MOST_COUNTED, queues
from models.jobs.cancelling import cancel
from models.jobs.dead import retry
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from web.guards import scope
from web.jobs.types import OFFERS, STATUSES, TYPES, Asking, JobsLooked
from web.json_bodies import json_object, query_as
from web.limits import limited_person
from web.live import Moment, stream
from web.params import Config, Transaction, Who

AnyRequest = Request[Any, Any, Any]
News = NamedDependency[Redis]

MINUTE: Final = timedelta(minutes=1)
#: How often a stream looks again, in seconds. That a job runs is told once it has run for a moment; that it has ended is
#: told to nobody if it was completed together with many others, which are spared a word each.
EVERY: Final = 2.0
SPENT: Final = (
    "This idempotencyKey has asked for a job within the last 24 hours, which is deleted or forgotten by now."
    " Give another request a key of its own."
)

READS: Final = [scope(Scope.JOBS_READ), limited_person("jobs-read", 600, MINUTE)]
WRITES: Final = [scope(Scope.JOBS_WRITE), limited_person("jobs-write", 60, MINUTE)]


class Jobs(Controller):
    """The jobs of whoever is signed in, or of whose token is shown."""

    path = "/api"

    @post("/jobs", guards=WRITES)
    async def ask(self, request: AnyRequest, session: Transaction, visitor: Who) -> Response[dict[str, Any]]:
        """Ask for a job: 201, or 200 for one that this key has asked for already, or 410 if that one is no more."""
        person = visitor.somebody
        asking = Asking.of(await json_object(request))
        wanted = asking.wanted
        job_id = new_id()
        # Before anything is made of the request and written down: this may be the second time.
        if wanted.idempotency_key is not None and not asking.faults:
            body = await request.body()
            made = await claim_key(session, person.id, wanted.idempotency_key, body, job_id, now())
            if made != job_id:
                try:
                    job = await asked_job(session, person.id, made, TYPES)
                except NotFound as error:
                    raise Gone(SPENT) from error
                return _asked(job.id, job.state, 200)
        message = await asking.allowed(session, person)
        # A moment that has passed is now: nothing goes before who came first.
        run_at = wanted.run_at if wanted.run_at is not None and wanted.run_at > now() else None
        wish = Wish(
            message,
            id=job_id,
            run_at=run_at,
            priority=wanted.priority,
            asked_by=person.id,
            share=f"person/{person.id}",
            limit=f"person/{person.id}",
        )
        await enqueue_all(session, [wish])
        return _asked(job_id, JobState.SCHEDULED if run_at else JobState.WAITING, 201)

    @get("/jobs/{job_id:uuid}", guards=READS)
    async def show(
        self, session: Transaction, visitor: Who, redis: News, job_id: FromPath[UUID]
    ) -> Response[dict[str, Any]]:
        """One job."""
        job = await asked_job(session, visitor.somebody.id, job_id, TYPES)
        return Response(await _shown(session, redis, job), headers={"Cache-Control": "no-store"})

    @get("/jobs/{job_id:uuid}/events", guards=READS)
    async def events(
        self, request: AnyRequest, session: Transaction, visitor: Who, redis: News, job_id: FromPath[UUID]
    ) -> EventSourceResponse:
        """The same, now and after each change, until it has ended."""
        person = visitor.somebody
        await asked_job(session, person.id, job_id, TYPES)

        async def look(session: AsyncSession) -> Moment:
            job = await asked_job(session, person.id, job_id, TYPES)
            return Moment(
                orjson.dumps(await _shown(session, redis, job)).decode(), is_last=job.finished_at is not None
            )

        return stream(request, [f"job/{job_id}"], look, visitor=visitor, every=EVERY)

    @get("/results", guards=READS)
    async def results(
        self, request: AnyRequest, session: Transaction, visitor: Who
    ) -> Response[dict[str, Any]]:
        """A page of jobs, the latest first."""
        looked = query_as(request, JobsLooked)
        states = [one for one, word in STATUSES.items() if looked.status in {None, word}]
        kinds = [offer.message.kind for name, offer in OFFERS.items() if looked.job_type in {None, name}]
        wanted = Looked(kinds, states, looked.limit, looked.offset, looked.cursor)
        found = await asked_jobs(session, visitor.somebody.id, wanted)
        answer = {"results": [_row(one, one) for one in found.items], "nextCursor": found.next_cursor}
        return Response(answer, headers={"Cache-Control": "no-store"})

    @post("/jobs/{job_id:uuid}/retry", status_code=200, guards=WRITES)
    async def retry(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> dict[str, Any]:
        """Let a job that failed or was cancelled run again."""
        person = visitor.somebody
        job = await asked_job(session, person.id, job_id, TYPES)
        if job.state not in {JobState.DEAD, JobState.CANCELLED}:
            words = f"This job is {STATUSES[job.state]}. One that failed or was cancelled can run again."
            raise Conflict(words)
        await retry(session, job_id)
        await audit(session, person, "job.retried", f"job/{job_id}", kind=job.kind, by="api")
        return _answer(job_id, JobState.WAITING)

    @post("/jobs/{job_id:uuid}/cancel", status_code=200, guards=WRITES)
    async def cancel(self, session: Transaction, visitor: Who, job_id: FromPath[UUID]) -> dict[str, Any]:
        """Cancel a job. One that runs is asked to stop, and is `processing` until it has."""
        person = visitor.somebody
        job = await asked_job(session, person.id, job_id, TYPES)
        state = await cancel(session, job_id)
        await audit(session, person, "job.cancelled", f"job/{job_id}", kind=job.kind, by="api")
        return _answer(job_id, state)

    @get("/queue/stats", guards=READS)
    async def stats(self, session: Transaction, visitor: Who, settings: Config) -> dict[str, Any]:
        """How many of one's own jobs are where; editors see every queue besides."""
        person = visitor.somebody
        jobs = dict.fromkeys(STATUSES.values(), 0)
        for state, count in (await asked_counts(session, person.id, TYPES)).items():
            jobs[STATUSES[state]] = min(jobs[STATUSES[state]] + count, MOST_COUNTED + 1)
        if not person.role.includes(Role.EDITOR):
            return {"jobs": jobs}
        found = await queues(session, timedelta(seconds=settings.jobs.lease_seconds))
        shown = [
            {
                "name": one.name,
                "waiting": one.waiting,
                "processing": one.running,
                "slots": one.slots,
                "oldestWaitingAt": _moment(one.oldest_at),
                "isPaused": one.paused_at is not None,
            }
            for one in found
        ]
        return {"jobs": jobs, "queues": shown}


def _asked(job_id: UUID, state: JobState, status: int) -> Response[dict[str, Any]]:
    headers = {"Location": f"/api/jobs/{job_id}"}
    return Response(_answer(job_id, state), status_code=status, headers=headers)


def _answer(job_id: UUID, state: JobState) -> dict[str, Any]:
    return {"id": str(job_id), "status": STATUSES[state]}


async def _shown(session: AsyncSession, redis: Redis, job: JobRow) -> dict[str, Any]:
    live = await progress.read(redis, job.id) if job.state is JobState.ACTIVE else None
    seen = live if live is not None and live.attempt >= job.attempt else job
    left = await queries.time_left(session, job, seen.done, seen.total)
    return _row(job, seen, now() + left if left is not None else None)


def _row(job: JobRow, seen: JobRow | progress.Progress, eta: datetime | None = None) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "type": TYPES[job.kind],
        "status": STATUSES[job.state],
        "priority": job.priority,
        "data": job.args,
        "result": job.result,
        "error": job.error,
        "attempts": job.attempt,
        "maxAttempts": job.max_attempts,
        "progress": {"done": seen.done, "total": seen.total, "description": seen.words},
        "createdAt": job.created_at.isoformat(),
        "runAt": job.run_at.isoformat(),
        "startedAt": _moment(job.started_at),
        "eta": _moment(eta),
        "finishedAt": _moment(job.finished_at),
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
