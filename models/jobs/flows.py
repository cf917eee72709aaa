"""Jobs that wait for each other: a flow is a graph of them, a batch is one in which nobody waits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import changed, new_id
from models.base.errors import Conflict, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.jobs.cancelling import cancel_all
from models.jobs.endings import ring
from models.jobs.enqueue import Wish, enqueue_all
from models.jobs.message import Job
from models.jobs.states import FlowState, JobState, OnParentFailure
from models.jobs.tables import FlowRow, JobRow, ParentRow

#: Jobs of a flow that a drawing shows.
JOBS_DRAWN: Final = 500

_IDS = ARRAY(Uuid())

_JOIN = text(
    """
    update jobs set flow_id = :flow_id, step = part.step, parents_left = part.parents,
                    blocked_by = case when part.parents > 0 then 'parents' end, on_parent_failure = part.policy
      from unnest(:ids, :steps, cast(:parents as int[]), :policies) as part (id, step, parents, policy)
     where jobs.id = part.id
    """
).bindparams(
    bindparam("ids", type_=_IDS),
    bindparam("steps", type_=ARRAY(Text())),
    bindparam("policies", type_=ARRAY(Text())),
)

_PAUSE = text(
    """
    update jobs set blocked_by = case when cast(:is_paused as boolean) then :pause when parents_left > 0 then 'parents' end
     where flow_id = :flow_id and state in ('scheduled', 'waiting') and blocked_by is distinct from 'cancel'
    returning queue, state, blocked_by
    """
).bindparams(bindparam("is_paused", type_=Boolean()))

_IN_STATE: Final = {
    FlowState.OPEN: (FlowRow.finished_at.is_(None),),
    FlowState.PAUSED: (FlowRow.finished_at.is_(None), FlowRow.paused_at.is_not(None)),
    FlowState.FAILED: (FlowRow.failed > 0,),
    FlowState.DONE: (FlowRow.finished_at.is_not(None), FlowRow.failed == 0),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A job of a flow, and the steps that it waits for. What else is wished for it is as in `Wish`."""

    job: Job
    after: tuple[str, ...] = ()
    if_parent_fails: OnParentFailure = OnParentFailure.CANCEL
    priority: int | None = None
    when_dead: Job | None = None
    run_at: datetime | None = None
    share: str | None = None
    limit: str | None = None
    #: What a message's secrets are sealed with.
    keys: Keys | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """What became of a job that another one has waited for."""

    job_id: UUID
    kind: str
    state: JobState
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A flow with its first `JOBS_DRAWN` jobs, and who waits for whom among them, as (parent, child)."""

    flow: FlowRow
    jobs: Sequence[JobRow]
    edges: Sequence[tuple[UUID, UUID]]


async def enqueue_flow(
    session: AsyncSession,
    name: str,
    steps: Mapping[str, Step],
    *,
    when_done: Job | None = None,
    subject: str | None = None,
    asked_by: UUID | None = None,
) -> UUID:
    """Ask for jobs that wait for each other. Returns the flow's id.

    `when_done` is asked for in the transaction that ends the last of them, however it ended; and again when some of
    them were retried and the last one has ended again. Raises ValueError for a flow without steps, a step that waits
    for one that is not there, and steps that wait for each other in a circle.
    """
    _check(name, steps)
    flow_id = new_id()
    ids = {step: new_id() for step in steps}
    packed = when_done.packed() if when_done else None
    session.add(
        FlowRow(id=flow_id, name=name, jobs=len(steps), when_done=packed, subject=subject, asked_by=asked_by)
    )
    await session.flush()
    await enqueue_all(
        session,
        [
            Wish(
                one.job,
                id=ids[step],
                priority=one.priority,
                when_dead=one.when_dead,
                subject=subject,
                asked_by=asked_by,
                run_at=one.run_at,
                share=one.share,
                limit=one.limit,
                keys=one.keys,
            )
            for step, one in steps.items()
        ],
    )
    # The same transaction: nobody has seen them without their flow.
    parts = {
        "ids": list(ids.values()),
        "steps": list(steps),
        "parents": [len(set(one.after)) for one in steps.values()],
        "policies": [one.if_parent_fails.value for one in steps.values()],
    }
    await session.execute(_JOIN, {"flow_id": flow_id} | parts)
    edges = [
        {"child_id": ids[step], "parent_id": ids[parent]}
        for step, one in steps.items()
        for parent in set(one.after)
    ]
    if edges:
        await session.execute(insert(ParentRow), edges)
    changed(session, f"flow/{flow_id}")
    return flow_id


async def enqueue_batch(
    session: AsyncSession,
    name: str,
    jobs: Iterable[Job],
    *,
    when_done: Job | None = None,
    subject: str | None = None,
    asked_by: UUID | None = None,
) -> UUID:
    """Ask for jobs that only their end has in common: a flow in which nobody waits. Its steps are numbered from 1."""
    steps = {str(number): Step(job) for number, job in enumerate(jobs, 1)}
    return await enqueue_flow(session, name, steps, when_done=when_done, subject=subject, asked_by=asked_by)


def _check(name: str, steps: Mapping[str, Step]) -> None:
    if not steps:
        raise ValueError(f"the flow {name!r} has no steps")
    if lost := {parent for one in steps.values() for parent in one.after} - steps.keys():
        raise ValueError(f"the flow {name!r} has no step {', '.join(map(repr, sorted(lost)))} to wait for")
    try:
        TopologicalSorter({step: one.after for step, one in steps.items()}).prepare()
    except CycleError as error:
        raise ValueError(
            f"steps of the flow {name!r} wait in a circle: {' → '.join(error.args[1])}"
        ) from None


async def pause_flow(session: AsyncSession, flow_id: UUID) -> None:
    """Let no more of its jobs begin. What has begun goes on, its retries included. Raises `NotFound` or `Conflict`."""
    flow = await _unfinished(session, flow_id)
    flow.paused_at = flow.paused_at or now()
    await _block(session, flow_id, is_paused=True)


async def resume_flow(session: AsyncSession, flow_id: UUID) -> None:
    """Let its jobs begin again. Raises `NotFound` or `Conflict`."""
    flow = await _unfinished(session, flow_id)
    flow.paused_at = None
    await _block(session, flow_id, is_paused=False)


async def cancel_flow(session: AsyncSession, flow_id: UUID) -> int:
    """Cancel what has not begun, and ask what runs to stop. Returns how many jobs that were.

    Raises `NotFound`, or `Conflict` for one that is over or that works for a paid order.
    """
    await _unfinished(session, flow_id)
    open_jobs = select(JobRow.id, JobRow.is_held).where(
        JobRow.flow_id == flow_id, JobRow.finished_at.is_(None)
    )
    found = (await session.execute(open_jobs)).all()
    if any(row.is_held for row in found):
        raise Conflict(
            "This flow works for a paid order. Refund or deliver the order; its jobs end by themselves."
        )
    return len(await cancel_all(session, [row.id for row in found]))


async def parents_of(session: AsyncSession, job_id: UUID) -> dict[str, Parent]:
    """What became of the jobs that this one has waited for, by the names of their steps."""
    query = (
        select(JobRow.step, JobRow.id, JobRow.kind, JobRow.state, JobRow.result)
        .join(ParentRow, ParentRow.parent_id == JobRow.id)
        .where(ParentRow.child_id == job_id)
    )
    return {str(step): Parent(*rest) for step, *rest in await session.execute(query)}


async def drawing(session: AsyncSession, flow_id: UUID) -> Drawing:
    """The flow as a graph. Raises `NotFound`."""
    flow = await session.get(FlowRow, flow_id, populate_existing=True)
    if flow is None:
        raise NotFound("There is no such flow, or it was done long ago and is forgotten.")
    rows = select(JobRow).where(JobRow.flow_id == flow_id).order_by(JobRow.id).limit(JOBS_DRAWN)
    jobs = (await session.scalars(rows.execution_options(populate_existing=True))).all()
    ids = [one.id for one in jobs]
    among = select(ParentRow.parent_id, ParentRow.child_id).where(
        ParentRow.child_id.in_(ids), ParentRow.parent_id.in_(ids)
    )
    return Drawing(flow, jobs, [(parent, child) for parent, child in await session.execute(among)])


async def flows(
    session: AsyncSession, *, state: FlowState | None = None, cursor: str | None = None
) -> Page[FlowRow]:
    """Flows, the latest first; only those in this state, if one is said. Raises `Invalid` for an unknown cursor."""
    query = select(FlowRow).order_by(FlowRow.id.desc()).limit(PAGE_SIZE + 1)
    if state is not None:
        query = query.where(*_IN_STATE[state])
    if cursor is not None:
        query = query.where(FlowRow.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda one: [one.id])


async def _unfinished(session: AsyncSession, flow_id: UUID) -> FlowRow:
    flow = await session.get(FlowRow, flow_id, populate_existing=True, with_for_update={"key_share": True})
    if flow is None:
        raise NotFound("There is no such flow.")
    if flow.finished_at is not None:
        raise Conflict("All jobs of this flow have ended.")
    changed(session, f"flow/{flow_id}")
    return flow


async def _block(session: AsyncSession, flow_id: UUID, *, is_paused: bool) -> None:
    asked = {"flow_id": flow_id, "is_paused": is_paused, "pause": f"flow/{flow_id}"}
    ring(session, (await session.execute(_PAUSE, asked)).all())
