"""What an operator decides about queues. It holds from its commit on, in every worker: claiming reads the row."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, news_of
from models.base.errors import Conflict
from models.jobs.limits import Limit, must_be_as_seen, told
from models.jobs.rules import rank
from models.jobs.tables import QueueRow

#: A limit of its key parks it again by itself; parents that are not done keep it waiting.
_RUN_ANYWAY = text(
    """
    update jobs set state = 'waiting', run_anyway = true, run_at = least(run_at, clock_timestamp()),
                    rank_at = least(rank_at, cast(:rank_at as timestamptz)),
                    blocked_by = case when blocked_by in ('parents', 'cancel') then blocked_by end
     where id = :job_id and state in ('scheduled', 'waiting')
    returning queue, subject
    """
)


async def pause(session: AsyncSession, queue: str) -> None:
    """Let nothing begin any more. What runs goes on."""
    row = await row_of(session, queue)
    row.paused_at = row.paused_at or now()
    changed(session, f"queue/{queue}")


async def resume(session: AsyncSession, queue: str) -> None:
    """Go on."""
    (await row_of(session, queue)).paused_at = None
    _ring(session, queue)


async def limit_queue(
    session: AsyncSession, queue: str, limit: Limit | None, *, seen: str | None = None
) -> None:
    """Hold a queue to a limit over all workers from now on; None lifts it. What runs goes on.

    Raises `Conflict` if it is not any more what a person has `seen`, as `limits.told` tells it.
    """
    row = await row_of(session, queue)
    must_be_as_seen(told(row), seen)
    (limit or Limit()).write(row)
    _ring(session, queue)


async def run_anyway(session: AsyncSession, job_id: UUID) -> None:
    """Run this job next, whatever its time, its queue's pause or its flow's. Limits and parents still count.

    Raises `Conflict` for a job that runs already or has ended.
    """
    row = (await session.execute(_RUN_ANYWAY, {"job_id": job_id, "rank_at": rank(now(), 0)})).one_or_none()
    if row is None:
        raise Conflict("This job is running already, or has ended.")
    changed(session, f"job/{job_id}")
    if row.subject:
        changed(session, row.subject)
    _ring(session, row.queue)


async def row_of(session: AsyncSession, queue: str) -> QueueRow:
    """What was decided about a queue, held until this transaction ends."""
    await session.execute(insert(QueueRow).values(name=queue).on_conflict_do_nothing())
    return await session.get_one(QueueRow, queue, with_for_update=True, populate_existing=True)


def _ring(session: AsyncSession, queue: str) -> None:
    news_of(session).queues.add(queue)
    changed(session, f"queue/{queue}")
