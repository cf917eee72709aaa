"""Cancelling: at once what does not run; what runs is asked to stop, and its worker ends it.

The worker hears of it by NOTIFY, and looks for itself every few seconds. A job that comes back by another way
(its worker died, its attempt failed first) stays `blocked_by` its cancellation, and is swept up.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Conflict, NotFound
from models.jobs import endings
from models.jobs.actions import Failure, LostLease, remember
from models.jobs.dead import refuse_held
from models.jobs.message import Job, kinds
from models.jobs.states import UNFINISHED, JobState
from models.jobs.store import Fence
from models.jobs.tables import JobRow
from models.jobs.telling import tell

#: What the worker's NOTIFY begins with; the job's id follows.
BELL = "cancel/"

_IDS = bindparam("ids", type_=ARRAY(Uuid()))

#: One statement, so that a job which is claimed meanwhile is seen as it is then.
_CANCEL = text(
    """
    update jobs
       set state = case when state = 'active' then state else 'cancelled' end,
           finished_at = case when state <> 'active' then clock_timestamp() end,
           error = case when state = 'active' then error else 'Cancelled before it was done.' end,
           blocked_by = case when state = 'active' then 'cancel' end,
           cancel_asked_at = coalesce(cancel_asked_at, clock_timestamp())
     where id = any(:ids) and state in ('scheduled', 'waiting', 'active') and not is_held
    returning id, kind, state, flow_id, subject
    """
).bindparams(_IDS)

_NOTIFY = text("select pg_notify('jobs', :bell || id) from unnest(:ids) as asked (id)").bindparams(_IDS)

_STOPPED = text(
    """
    update jobs set state = 'cancelled', finished_at = clock_timestamp(), blocked_by = null,
                    error = 'Cancelled while it ran.'
     where id = :job_id and attempt = :attempt and worker_id = :worker_id and finished_at is null
    returning kind, subject
    """
)

_LINGERS = text(
    "update job_workers set lingering = array_append(lingering, :job_id) where id = :worker_id"
).bindparams(bindparam("job_id", type_=Uuid()))

_SWEPT = text(
    "select id from jobs where blocked_by = 'cancel' and state in ('scheduled', 'waiting') limit 500"
)


async def cancel(session: AsyncSession, job_id: UUID) -> JobState:
    """Cancel a job. Returns `CANCELLED`, or `ACTIVE` for one that runs and was asked to stop.

    Raises `NotFound`, or `Conflict` for a job that has ended or that works for a paid order.
    """
    job = await session.get(JobRow, job_id, populate_existing=True)
    if job is None:
        raise NotFound("There is no such job.")
    if job.state not in UNFINISHED:
        raise Conflict(f"This job is {job.state.value} already.")
    refuse_held(job)
    if not await cancel_all(session, [job_id]):
        raise Conflict("This job has just ended.")
    await session.refresh(job)
    return job.state


async def cancel_all(session: AsyncSession, job_ids: Sequence[UUID]) -> set[UUID]:
    """Cancel those of the jobs that have not ended and hold no money. Returns which those were."""
    await endings.lock_all(session, job_ids)
    rows = (await session.execute(_CANCEL, {"ids": list(job_ids)})).all()
    if running := [row.id for row in rows if row.state == JobState.ACTIVE]:
        # In the transaction, unlike the bells of work: it is rare, and is to be heard by whoever runs the job.
        await session.execute(_NOTIFY, {"ids": running, "bell": BELL})
    ended: dict[UUID | None, list[UUID]] = {}
    known = kinds()
    for row in rows:
        tell(session, row.id, row.subject)
        if row.state != JobState.ACTIVE:
            ended.setdefault(row.flow_id, []).append(row.id)
            await known.get(row.kind, Job).take_back(session, row.id)
    for flow_id, ids in ended.items():
        await endings.settle(session, flow_id, ids)
    return {row.id for row in rows}


async def stopped(session: AsyncSession, fence: Fence) -> None:
    """A runner that was asked to stop has ended, or has had its time to: the job is cancelled. Raises `LostLease`."""
    await endings.lock(session, fence.flow_id)
    row = (
        await session.execute(
            _STOPPED, {"job_id": fence.job_id, "attempt": fence.attempt, "worker_id": fence.worker_id}
        )
    ).one_or_none()
    if row is None:
        raise LostLease(str(fence.job_id))
    await remember(session, fence, "cancelled", Failure("Cancelled while it ran."))
    await kinds().get(row.kind, Job).take_back(session, fence.job_id)
    await endings.settle(session, fence.flow_id, [fence.job_id])
    tell(session, fence.job_id, row.subject)


async def lingers(session: AsyncSession, fence: Fence) -> None:
    """A runner that was asked to stop has had its time and goes on: its job is cancelled, and runs nowhere else before it
    has stopped or its worker has ended. Raises `LostLease`.
    """
    await stopped(session, fence)
    await session.execute(_LINGERS, {"job_id": fence.job_id, "worker_id": fence.worker_id})


async def sweep(session: AsyncSession) -> None:
    """Cancel what was asked to stop and came back to wait by another way."""
    if ids := (await session.execute(_SWEPT)).scalars().all():
        await cancel_all(session, ids)
