"""What follows from the end of a job of a flow. Whatever ends one locks the flow's row first, ends the job, and settles
what follows from it, all in one transaction: parents that end at once are counted one after the other.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.crash_points import crash_point
from models.base.db import changed, news_of
from models.jobs.enqueue import enqueue
from models.jobs.errors import fingerprint
from models.jobs.message import unpack
from models.jobs.states import JobState
from models.jobs.tables import JobRow

#: `jobs.error` of a job that ended because one of its parents did not complete.
PARENT_FAILED: Final = "A job that this one waited for did not complete."

_IDS = ARRAY(Uuid())

_LOCK = text("select paused_at from job_flows where id = :flow_id for no key update")

_MEET = text(
    """
    with met as (
        update job_parents edge set is_met = true
          from jobs parent, jobs child
         where edge.parent_id = any(:ended) and not edge.is_met
           and parent.id = edge.parent_id and child.id = edge.child_id
           and (parent.state = 'completed' or child.on_parent_failure = 'run')
        returning edge.child_id),
    counted as (select child_id, count(*) as met from met group by child_id)
    update jobs set parents_left = parents_left - met,
                    blocked_by = case when blocked_by = 'cancel' then blocked_by when parents_left > met then 'parents'
                                      else cast(:pause as text) end
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
      from job_parents edge join jobs parent on parent.id = edge.parent_id
     where edge.parent_id = any(:ended) and parent.state in ('dead', 'cancelled')
       and child.id = edge.child_id and child.on_parent_failure = 'cancel' and child.state in ('scheduled', 'waiting')
    returning child.id, child.state, child.subject, child.when_dead
    """
).bindparams(bindparam("ended", type_=_IDS))

_REVIVE = text(
    """
    update jobs child
       set state = 'waiting', finished_at = null, error = null, blocked_by = 'parents'
     where child.id in (select child_id from job_parents where parent_id = any(:revived) and not is_met)
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

_COMPLETE = text(
    """
    update jobs set state = 'completed', finished_at = clock_timestamp(), result = ended.result::jsonb, error = null
      from unnest(:ids, cast(:attempts as smallint[]), :results) as ended (id, attempt, result)
     where jobs.id = ended.id and jobs.attempt = ended.attempt and jobs.worker_id = :worker_id
       and jobs.finished_at is null
    returning jobs.id, jobs.flow_id, jobs.subject
    """
).bindparams(bindparam("ids", type_=_IDS), bindparam("results", type_=ARRAY(Text())))


async def lock(session: AsyncSession, flow_id: UUID | None) -> None:
    """Let nobody else end a job of this flow before our transaction does. To be called before a job's row is locked."""
    if flow_id is not None:
        await session.execute(_LOCK, {"flow_id": flow_id})


async def settle(session: AsyncSession, flow_id: UUID | None, ended: Sequence[UUID]) -> None:
    """Do what follows from the end of these jobs of a flow, in the transaction that ended them."""
    if flow_id is None or not ended:
        return
    crash_point("in a flow, before what follows from its job's end")
    pause = await _pause_of(session, flow_id)
    states = await session.execute(select(JobRow.state).where(JobRow.id.in_(ended)))
    done = sum(state is JobState.COMPLETED for state in states.scalars())
    failed = len(ended) - done
    wave = list(ended)
    words = {"words": PARENT_FAILED, "fingerprint": fingerprint(PARENT_FAILED)}
    while wave:
        freed = await session.execute(_MEET, {"ended": wave, "pause": pause})
        ring(session, freed.all())
        given_up = (await session.execute(_GIVE_UP, {"ended": wave} | words)).all()
        for row in given_up:
            changed(session, f"job/{row.id}")
            if row.state == JobState.DEAD and row.when_dead is not None:
                await enqueue(session, unpack(row.when_dead), subject=row.subject)
        wave = [row.id for row in given_up]
        failed += len(wave)
    await _count(session, flow_id, done, failed)


async def revive(session: AsyncSession, flow_id: UUID, job_id: UUID) -> None:
    """A job that had ended badly is tried again: let what was given up because of it wait for it again."""
    wave, count = [job_id], 0
    while wave:
        count += len(wave)
        found = await session.execute(_REVIVE, {"revived": wave, "words": PARENT_FAILED})
        wave = list(found.scalars())
    await _count(session, flow_id, 0, -count)


async def complete_in_flows(
    session: AsyncSession, worker_id: UUID, ended: Sequence[tuple[UUID, UUID, int, str | None]]
) -> set[UUID]:
    """Complete a worker's jobs of flows, given as (flow, job, attempt, result as JSON). Returns those still its own."""
    # In one order for everybody, so that two workers cannot wait for each other.
    for flow_id in sorted({one[0] for one in ended}):
        await lock(session, flow_id)
    _, ids, attempts, results = zip(*ended, strict=True)
    batch = {"ids": list(ids), "attempts": list(attempts), "results": list(results), "worker_id": worker_id}
    rows = (await session.execute(_COMPLETE, batch)).all()
    by_flow: dict[UUID, list[UUID]] = {}
    for row in rows:
        by_flow.setdefault(row.flow_id, []).append(row.id)
        changed(session, f"job/{row.id}")
        if row.subject:
            changed(session, row.subject)
    for flow_id, jobs in sorted(by_flow.items()):
        await settle(session, flow_id, jobs)
    return {row.id for row in rows}


def ring(session: AsyncSession, rows: Iterable[Any]) -> None:
    """Tell the queues of those rows that nothing blocks any more."""
    news_of(session).queues.update(
        row.queue for row in rows if row.state == JobState.WAITING and row.blocked_by is None
    )


async def _pause_of(session: AsyncSession, flow_id: UUID) -> str | None:
    paused_at = (await session.execute(_LOCK, {"flow_id": flow_id})).scalar_one()
    return f"flow/{flow_id}" if paused_at else None


async def _count(session: AsyncSession, flow_id: UUID, done: int, failed: int) -> None:
    asked = {"flow_id": flow_id, "done": done, "failed": failed}
    row = (await session.execute(_COUNT, asked)).one()
    if row.finished_at is not None and row.when_done is not None:
        await enqueue(session, unpack(row.when_done), subject=row.subject)
    changed(session, f"flow/{flow_id}")
