"""What is decided about queues, by operators or from inside a job. It holds from its commit on, in every worker:
claiming reads the row.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed, news_of
from models.base.errors import Conflict
from models.jobs.limits import Limit, must_be_as_seen, told
from models.jobs.paces import counted_on
from models.jobs.rules import LONGEST_SILENCE, rank
from models.jobs.tables import QueueRow
from models.jobs.telling import tell

#: A limit of its key parks it again by itself; parents that are not done keep it waiting.
_RUN_ANYWAY = text(
    """
    update jobs set state = 'waiting', run_anyway = true, run_at = least(run_at, clock_timestamp()),
                    rank_at = least(rank_at, cast(:rank_at as timestamptz)),
                    blocked_by = case when blocked_by = 'cancel' then blocked_by when parents_left > 0 then 'parents' end
     where id = :job_id and state in ('scheduled', 'waiting')
    returning queue, subject
    """
)

#: The longer silence wins.
_SILENCE = text(
    """
    insert into job_queues as known (name, closed_until, closed_by)
    values (:queue, clock_timestamp() + cast(:wait as interval), :job_id)
        on conflict (name) do update set closed_until = excluded.closed_until, closed_by = excluded.closed_by
     where known.closed_until is null or known.closed_until < excluded.closed_until
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


async def silence(session: AsyncSession, queue: str, wait: timedelta, job_id: UUID) -> None:
    """Let nothing begin for so long, `rules.LONGEST_SILENCE` at most: this job was told so by whom the whole queue asks.
    What runs goes on.
    """
    await session.execute(_SILENCE, {"queue": queue, "wait": min(wait, LONGEST_SILENCE), "job_id": job_id})
    changed(session, f"queue/{queue}")


async def end_silence(session: AsyncSession, queue: str) -> None:
    """Go on before the silence is over."""
    (await row_of(session, queue)).closed_until = None
    _ring(session, queue)


async def limit_queue(
    session: AsyncSession, queue: str, limit: Limit | None, *, seen: str | None = None
) -> None:
    """Hold a queue to a limit over all workers from now on; None lifts it. What runs goes on.

    Raises `Conflict` if it is not any more what a person has `seen`, as `limits.told` tells it.
    """
    async with counted_on(session, f"queue/{queue}"):
        row = await row_of(session, queue)
        must_be_as_seen(told(row), seen)
        (limit or Limit()).write(row)
    _ring(session, queue)


async def run_anyway(session: AsyncSession, job_id: UUID) -> None:
    """Run this job next, whatever its time, its queue's pause or its flow's. Limits, silences and parents still count.

    Raises `Conflict` for a job that runs already or has ended.
    """
    row = (await session.execute(_RUN_ANYWAY, {"job_id": job_id, "rank_at": rank(now(), 0)})).one_or_none()
    if row is None:
        raise Conflict("This job is running already, or has ended.")
    tell(session, job_id, row.subject)
    _ring(session, row.queue)


async def row_of(session: AsyncSession, queue: str) -> QueueRow:
    """What was decided about a queue, held until this transaction ends."""
    await session.execute(insert(QueueRow).values(name=queue).on_conflict_do_nothing())
    return await session.get_one(QueueRow, queue, with_for_update=True, populate_existing=True)


def _ring(session: AsyncSession, queue: str) -> None:
    news_of(session).queues.add(queue)
    changed(session, f"queue/{queue}")
