"""What a person may do about one job: try it again, with other arguments if need be, copy it, hurry it, remove it.

A job that is held works for somebody who has paid. Nothing here, and no retention, makes one disappear.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import Row, SmallInteger, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, new_id, news_of
from models.base.errors import Conflict, Invalid, NotFound
from models.jobs.endings import lock, lock_all, revive
from models.jobs.message import MAX_ARGS_BYTES, Job, kinds
from models.jobs.rules import AGING, PRIORITIES, rank
from models.jobs.shares import rank_anew, turns
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.jobs.telling import tell

_IDS: Final = bindparam("ids", type_=ARRAY(Uuid()))

#: It waits again for those of its parents that are still there: a deleted one will never end. What was cancelled before
#: its time had come waits for that again.
_RETRY = text(
    """
    update jobs
       set state = case when waits.is_early then 'scheduled' else 'waiting' end,
           finished_at = null, started_at = null, worker_id = null, result = null,
           cancel_asked_at = null, run_anyway = false, fingerprint = null, crowded_at = null,
           run_at = case when waits.is_early then run_at else clock_timestamp() end,
           rank_at = case when waits.is_early then jobs.rank_at else again.rank_at end,
           max_attempts = attempt + again.attempts, args = coalesce(cast(:args as jsonb), args),
           parents_left = waits.parents,
           blocked_by = case when waits.parents > 0 then 'parents'
                             else (select 'flow/' || id from job_flows where id = flow_id and paused_at is not null) end
      from unnest(:ids, :ranks, :attempts) as again (job_id, rank_at, attempts)
     cross join lateral (
           select (select count(*) from job_parents where child_id = job_id and not is_met) as parents,
                  (select attempt = 0 and snoozes = 0 and run_at > clock_timestamp()
                     from jobs early where early.id = job_id) as is_early
           ) waits
     where id = job_id and state in ('dead', 'cancelled')
       and not exists (select from jobs other where other.unique_key = jobs.unique_key
                          and other.state in ('scheduled', 'waiting', 'active'))
    returning id, queue, subject, flow_id
    """
).bindparams(
    _IDS,
    bindparam("ranks", type_=ARRAY(TIMESTAMP(timezone=True))),
    bindparam("attempts", type_=ARRAY(SmallInteger())),
)

_FAILED_PARENTS: Final = """
    from job_parents edge join jobs parent on parent.id = edge.parent_id
   where edge.child_id = %s and not edge.is_met and parent.state in ('dead', 'cancelled')
"""
_FAILED_PARENT = text(f"select parent.step {_FAILED_PARENTS % ':job_id'} order by parent.id limit 1")

_LINGERS = text("select exists (select from job_workers where :job_id = any(lingering))").bindparams(
    bindparam("job_id", type_=Uuid())
)

#: Those that may run again as far as they are asked themselves.
_ENDED_BADLY = text(
    f"""
    select id, kind, queue, priority, share_key, unique_key from jobs
     where id = any(:ids) and state in ('dead', 'cancelled')
       and not exists (select {_FAILED_PARENTS % "jobs.id"})
       and not exists (select from job_workers where jobs.id = any(lingering))
     order by id
    """  # noqa: S608 - our own words
).bindparams(_IDS)

_DUPLICATE = text(
    """
    insert into jobs (id, kind, queue, args, secret, priority, rank_at, run_at, max_attempts, subject, when_dead,
                      share_key, limit_key, is_held, asked_by)
    select :new_id, kind, queue, args, secret, priority, :rank_at, clock_timestamp(), :attempts, subject, when_dead,
           share_key, limit_key, is_held, :asked_by
      from jobs where id = :job_id
    """
)

_PROMOTE = text(
    """
    update jobs set state = 'waiting', run_at = clock_timestamp(), rank_at = :rank_at
     where id = :job_id and state = 'scheduled'
    returning queue, subject
    """
)

_PRIORITIZE = text(
    """
    update jobs set priority = :priority, rank_at = rank_at + cast(:step as interval) * (:priority - priority)
     where id = :job_id and state in ('scheduled', 'waiting')
    returning queue, subject
    """
)

_DELETE = text(
    """
    delete from jobs where id = :job_id and (state = 'completed' or state in ('dead', 'cancelled') and not is_held)
       and not exists (select from job_flows flow where flow.id = jobs.flow_id and flow.finished_at is null)
    returning id
    """
)


async def retry(session: AsyncSession, job_id: UUID) -> None:
    """Let a dead or cancelled job wait for a worker again, with as many attempts as its kind has; what it wrote stays.

    What was asked for when it died has been asked for: a runner finds the world as that left it. What its flow gave
    up because of it waits for it again. Raises `NotFound`, or `Conflict` for a job that has not ended badly, that does
    not stop, whose work another job has taken over, or that waits for one that failed itself.
    """
    await _again(session, await _job(session, job_id), None)


async def retry_all(session: AsyncSession, job_ids: Sequence[UUID]) -> set[UUID]:
    """`retry` those of the jobs that can be. Returns which those were: why not the others, each of them can be asked."""
    # Flows before any of their jobs: see `endings`.
    await lock_all(session, job_ids)
    first: dict[object, Row[Any]] = {}
    for job in await session.execute(_ENDED_BADLY, {"ids": list(job_ids)}):
        # Of those that did the same work one alone can run.
        first.setdefault(job.unique_key or job.id, job)
    return await _wait_again(session, list(first.values()))


async def retry_edited(session: AsyncSession, job_id: UUID, args: Mapping[str, Any]) -> None:
    """`retry` with other arguments; sealed ones stay as they are. Raises `Invalid` naming each `args.<field>`."""
    job = await _job(session, job_id)
    message = kinds().get(job.kind)
    if message is None:
        raise Conflict(
            f"This release does not know jobs of the kind {job.kind}, so it cannot check their arguments."
        )
    check_args(message, args)
    await _again(session, job, orjson.dumps(args).decode())


async def duplicate(session: AsyncSession, job_id: UUID, asked_by: UUID) -> UUID:
    """Ask for the same once more, as a job of its own: outside of flows, and without the unique key. Raises `NotFound`."""
    job = await _job(session, job_id)
    copy_id = new_id()
    copy = {
        "new_id": copy_id,
        "job_id": job_id,
        "rank_at": await rank_anew(session, job, now(), is_counted=False),
        "attempts": _attempts([job])[0],
        "asked_by": asked_by,
    }
    await session.execute(_DUPLICATE, copy)
    _ring(session, copy_id, job.queue, job.subject)
    return copy_id


async def promote(session: AsyncSession, job_id: UUID) -> None:
    """Let a scheduled job wait for a worker now. Raises `NotFound`, or `Conflict` if it is not scheduled."""
    job = await _job(session, job_id)
    at = now()
    rank_at = await rank_anew(session, job, at, is_counted=job.run_at <= at)
    row = (await session.execute(_PROMOTE, {"job_id": job_id, "rank_at": rank_at})).one_or_none()
    if row is None:
        raise Conflict(f"Only a scheduled job can be run sooner; this one is {job.state.value}.")
    _ring(session, job_id, row.queue, row.subject)


async def prioritize(session: AsyncSession, job_id: UUID, priority: int) -> None:
    """Give a job that has not begun another priority. Raises `NotFound`, `Conflict`, or `Invalid` naming `priority`."""
    job = await _job(session, job_id)
    if priority not in PRIORITIES:
        raise Invalid({"priority": "Choose from 0, which goes first, to 9."})
    asked = {"job_id": job_id, "priority": priority, "step": AGING}
    row = (await session.execute(_PRIORITIZE, asked)).one_or_none()
    if row is None:
        raise Conflict(f"Only a job that has not begun can go before others; this one is {job.state.value}.")
    _ring(session, job_id, row.queue, row.subject)


async def delete(session: AsyncSession, job_id: UUID) -> None:
    """Remove a job that has ended. Raises `NotFound`, or `Conflict` for one that has not, or that must stay."""
    job = await _job(session, job_id)
    refuse_held(job)
    if (await session.execute(_DELETE, {"job_id": job_id})).one_or_none() is None:
        raise Conflict(
            "Only a job that has ended, and whose flow has ended, can be deleted. Cancel it first."
        )
    changed(session, f"job/{job_id}")


def refuse_held(job: JobRow) -> None:
    """Raise `Conflict` if the job works for somebody who has paid, and has not done so."""
    if job.is_held and job.state is not JobState.COMPLETED:
        about = f" ({job.subject})" if job.subject else ""
        raise Conflict(
            f"This job works for somebody who has paid{about}, so it cannot be cancelled or deleted. Retry it, with"
            " other arguments if need be, or deliver or refund the order by hand."
        )


def check_args(message: type[Job], args: Mapping[str, Any]) -> None:
    """Raise `Invalid` naming every `args.<field>` that is missing, unknown, of another type, or a secret."""
    fields = {one.encode_name: one for one in msgspec.structs.fields(message)}
    wrong = {}
    for name, one in fields.items():
        if name in message.secrets:
            if name in args:
                wrong[name] = "This is a secret, and stays as it is."
        elif name in args:
            try:
                msgspec.convert(args[name], one.type, strict=False)
            except msgspec.ValidationError as error:
                wrong[name] = f"{error}."
        elif one.required:
            wrong[name] = "This is missing."
    wrong |= dict.fromkeys(args.keys() - fields.keys(), f"{message.kind} has no such argument.")
    if len(orjson.dumps(args)) > MAX_ARGS_BYTES:
        raise Invalid({"args": f"The arguments take more than {MAX_ARGS_BYTES:,} bytes."})
    if wrong:
        raise Invalid({f"args.{name}": words for name, words in wrong.items()})


async def _job(session: AsyncSession, job_id: UUID) -> JobRow:
    job = await session.get(JobRow, job_id, populate_existing=True)
    if job is None:
        raise NotFound("There is no such job, or it was done long ago and is forgotten.")
    return job


async def _again(session: AsyncSession, job: JobRow, args: str | None) -> None:
    if job.state not in {JobState.DEAD, JobState.CANCELLED}:
        raise Conflict(f"Only a job that died or was cancelled can run again; this one is {job.state.value}.")
    if await session.scalar(_LINGERS, {"job_id": job.id}):
        raise Conflict(
            "This job was cancelled while it ran, and does not stop. It can run again once it has stopped, or its worker"
            " has ended."
        )
    await lock(session, job.flow_id)
    step = await session.scalar(_FAILED_PARENT, {"job_id": job.id}) if job.flow_id else None
    if step is not None:
        raise Conflict(
            f"This job waits for the step “{step}”, which failed: retry that one, and this one follows."
        )
    if not await _wait_again(session, [job], args):
        raise Conflict("This job is not dead any more, or another one does its work.")


async def _wait_again(
    session: AsyncSession, jobs: Sequence[JobRow | Row[Any]], args: str | None = None
) -> set[UUID]:
    """Let those wait that still can, in this order, whose flows are locked. Returns which: none if one's key is taken."""
    if not jobs:
        return set()
    at = now()
    places = await turns(session, {(job.queue, job.share_key) for job in jobs if job.share_key is not None})
    again = {
        "ids": [job.id for job in jobs],
        "ranks": [
            places[job.queue, job.share_key].next(at, job.priority, is_scheduled=False)
            if job.share_key is not None
            else rank(at, job.priority)
            for job in jobs
        ],
        "attempts": _attempts(jobs),
        "args": args,
    }
    try:
        async with session.begin_nested():
            rows = (await session.execute(_RETRY, again)).all()
    except IntegrityError:
        return set()
    by_flow: dict[UUID, list[UUID]] = {}
    for row in rows:
        if row.flow_id is not None:
            by_flow.setdefault(row.flow_id, []).append(row.id)
        _ring(session, row.id, row.queue, row.subject)
    for flow_id, ids in by_flow.items():
        await revive(session, flow_id, ids)
    return {row.id for row in rows}


def _attempts(jobs: Sequence[JobRow | Row[Any]]) -> list[int]:
    known = kinds()
    return [known[job.kind].attempts if job.kind in known else 1 for job in jobs]


def _ring(session: AsyncSession, job_id: UUID, queue: str, subject: str | None) -> None:
    news_of(session).queues.add(queue)
    tell(session, job_id, subject)
