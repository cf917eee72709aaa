"""What follows from the end of a job of a flow. Whatever ends one locks the flow's row first, ends the job, and settles
what follows from it, all in one transaction: parents that end at once are counted one after the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson
import structlog
from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.db import changed, fetch, new_id, news_of
from models.jobs.enqueue import enqueue
from models.jobs.errors import fingerprint
from models.jobs.message import Job, kinds, unpack
from models.jobs.rules import rank
from models.jobs.states import JobState
from models.jobs.store import COMPLETE
from models.jobs.telling import tell

log = structlog.get_logger(__name__)

#: `jobs.error` of a job that ended because one of its parents did not complete.
PARENT_FAILED: Final = "A job that this one waited for did not complete."

_IDS = ARRAY(Uuid())

#: Here and below the ids are joined, never looked for in their array: in a plan that serves any array each row walks
#: through it, and a flow may have tens of thousands of jobs.
_COMPLETED = text(
    "select count(*) from unnest(:ended) ended (id) join jobs using (id) where state = 'completed'"
).bindparams(bindparam("ended", type_=_IDS))

_INVOLVED = text("select distinct flow_id from jobs where id = any(:ids) and flow_id is not null").bindparams(
    bindparam("ids", type_=_IDS)
)

_LOCK = text("select paused_at from job_flows where id = :flow_id for no key update")

_MEET = text(
    """
    with met as (
        update job_parents edge set is_met = true
          from unnest(:ended) ended (id), jobs parent, jobs child
         where edge.parent_id = ended.id and not edge.is_met
           and parent.id = ended.id and child.id = edge.child_id
           and (parent.state = 'completed' or child.on_parent_failure = 'run')
        returning edge.child_id),
    counted as (select child_id, count(*) as met from met group by child_id)
    update jobs set parents_left = parents_left - met,
                    blocked_by = case when blocked_by = 'cancel' then blocked_by when parents_left > met then 'parents'
                                      when not run_anyway then cast(:pause as text) end
      from counted where jobs.id = counted.child_id
    returning jobs.queue, jobs.state, jobs.blocked_by
    """
).bindparams(bindparam("ended", type_=_IDS))

#: A held job is not cancelled for another one's failure: it is dead, and somebody has to look at it.
_GIVE_UP = text(
    """
    update jobs child
       set state = case when child.is_held then 'dead' else 'cancelled' end, finished_at = clock_timestamp(), error = :words,
           fingerprint = case when child.is_held then :fingerprint end
      from unnest(:ended) ended (id) join jobs parent using (id) join job_parents edge on edge.parent_id = ended.id
     where parent.state in ('dead', 'cancelled')
       and child.id = edge.child_id and child.on_parent_failure = 'cancel' and child.state in ('scheduled', 'waiting')
    returning child.id, child.state, child.subject, child.when_dead
    """
).bindparams(bindparam("ended", type_=_IDS))

_REVIVE = text(
    """
    update jobs child
       set state = 'waiting', finished_at = null, error = null, fingerprint = null, blocked_by = 'parents',
           parents_left = (select count(*) from job_parents where child_id = child.id and not is_met)
     where child.id in (select edge.child_id from unnest(:revived) again (id) join job_parents edge on edge.parent_id = again.id
                         where not edge.is_met)
       and child.state in ('dead', 'cancelled') and child.error = :words
       and not exists (select from job_parents edge join jobs parent on parent.id = edge.parent_id
                        where edge.child_id = child.id and not edge.is_met and parent.finished_at is not null)
    returning child.id
    """
).bindparams(bindparam("revived", type_=_IDS))

_COUNT = text(
    """
    update job_flows
       set done = done + :done, failed = failed + :failed,
           finished_at = case when done + :done + failed + :failed = jobs then clock_timestamp() end
     where id = :flow_id
    returning finished_at, when_done, subject
    """
)

_COMPLETE: Final = f"{COMPLETE}, jobs.flow_id, jobs.subject"

#: Its queue has workers, and whatever it works for is worked for still.
_AS_IT_STANDS = text(
    """
    insert into jobs (id, kind, args, subject, queue, is_held, priority, max_attempts, run_at, rank_at)
    select :job_id, :kind, cast(:args as jsonb), :subject, queue, is_held or :is_held, :priority, :attempts, :run_at, :rank_at
      from jobs where id = :ended
    returning queue
    """
)

#: What follows from a job that an operator wanted run although its queue is paused is wanted as much.
_ANYWAY = text(
    "update jobs set run_anyway = true from jobs ended where jobs.id = :job_id and ended.id = :ended and ended.run_anyway"
)


async def lock(session: AsyncSession, flow_id: UUID | None) -> None:
    """Let nobody else end a job of this flow before our transaction does. To be called before a job's row is locked."""
    if flow_id is not None:
        await session.execute(_LOCK, {"flow_id": flow_id})


async def lock_all(session: AsyncSession, job_ids: Sequence[UUID]) -> None:
    """`lock` the flows of all these jobs, in one order for everybody: two who do so cannot wait for each other."""
    for flow_id in sorted(await session.scalars(_INVOLVED, {"ids": list(job_ids)})):
        await lock(session, flow_id)


async def settle(session: AsyncSession, flow_id: UUID | None, ended: Sequence[UUID]) -> None:
    """Do what follows from the end of these jobs of a flow, in the transaction that ended them."""
    if flow_id is None or not ended:
        return
    crash_point("in a flow, before what follows from its job's end")
    pause = await _pause_of(session, flow_id)
    done: int = (await session.execute(_COMPLETED, {"ended": list(ended)})).scalar_one()
    failed = len(ended) - done
    wave = list(ended)
    words = {"words": PARENT_FAILED, "fingerprint": fingerprint(PARENT_FAILED)}
    while wave:
        freed = await session.execute(_MEET, {"ended": wave, "pause": pause})
        ring(session, freed.all())
        given_up = (await session.execute(_GIVE_UP, {"ended": wave} | words)).all()
        for row in given_up:
            tell(session, row.id, row.subject)
            if row.state == JobState.DEAD and row.when_dead is not None:
                await follow_up(session, row.id, row.when_dead, row.subject)
        wave = [row.id for row in given_up]
        failed += len(wave)
    await _count(session, flow_id, ended[0], done, failed)


async def follow_up(
    session: AsyncSession, ended: UUID, packed: Mapping[str, Any], subject: str | None
) -> None:
    """Ask for what was to follow from the end of a job: it may give somebody's money back, so it is never left out.

    What this release does not understand, or would not ask for (it is too long, or secret by now), is asked for as it
    stands. A release that does will do it, if there is one; else an alert tells of it, or it dies of its arguments, and
    somebody can correct them.
    """
    try:
        job_id = await enqueue(session, unpack(packed), subject=subject)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        log.warning("job.follow_up_not_understood", job=str(ended), kind=packed["kind"], error=str(error))
        job_id, at, known = new_id(), now(), kinds().get(packed["kind"], Job)
        row = {
            "ended": ended,
            "job_id": job_id,
            "kind": packed["kind"],
            "args": orjson.dumps(packed["args"]).decode(),
            "subject": subject,
            "is_held": known.holds_money,
            "priority": known.priority,
            "attempts": known.attempts,
            "run_at": at,
            "rank_at": rank(at, known.priority),
        }
        news_of(session).queues.add(await session.scalar(_AS_IT_STANDS, row))
    await session.execute(_ANYWAY, {"job_id": job_id, "ended": ended})


async def revive(session: AsyncSession, flow_id: UUID, job_ids: Sequence[UUID]) -> None:
    """Jobs of a flow that had ended badly are tried again: let what was given up because of them wait for them again."""
    wave, count = list(job_ids), 0
    while wave:
        count += len(wave)
        found = await session.execute(_REVIVE, {"revived": wave, "words": PARENT_FAILED})
        wave = list(found.scalars())
    await _count(session, flow_id, job_ids[0], 0, -count)


async def complete_in_flows(
    session: AsyncSession, worker_id: UUID, ended: Sequence[tuple[UUID, UUID, int, str | None]]
) -> set[UUID]:
    """Complete a worker's jobs of flows, given as (flow, job, attempt, result as JSON). Returns those still its own."""
    # In one order for everybody, so that two workers cannot wait for each other.
    for flow_id in sorted({one[0] for one in ended}):
        await lock(session, flow_id)
    _, ids, attempts, results = zip(*ended, strict=True)
    rows = await fetch(session, _COMPLETE, worker_id, ids, attempts, results)
    by_flow: dict[UUID, list[UUID]] = {}
    for job_id, flow_id, subject in rows:
        by_flow.setdefault(flow_id, []).append(job_id)
        tell(session, job_id, subject)
    for flow_id, jobs in sorted(by_flow.items()):
        await settle(session, flow_id, jobs)
    return {job_id for jobs in by_flow.values() for job_id in jobs}


def ring(session: AsyncSession, rows: Iterable[Any]) -> None:
    """Tell the queues of those rows that nothing blocks any more."""
    news_of(session).queues.update(
        row.queue for row in rows if row.state == JobState.WAITING and row.blocked_by is None
    )


async def _pause_of(session: AsyncSession, flow_id: UUID) -> str | None:
    paused_at = (await session.execute(_LOCK, {"flow_id": flow_id})).scalar_one()
    return f"flow/{flow_id}" if paused_at else None


async def _count(session: AsyncSession, flow_id: UUID, job_id: UUID, done: int, failed: int) -> None:
    asked = {"flow_id": flow_id, "done": done, "failed": failed}
    row = (await session.execute(_COUNT, asked)).one()
    if row.finished_at is not None and row.when_done is not None:
        await follow_up(session, job_id, row.when_done, row.subject)
    changed(session, f"flow/{flow_id}")
