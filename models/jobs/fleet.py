"""The workers there are and are to be, in PostgreSQL: what a decision is made from, and the decisions that were made."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.board import QueueView
from models.jobs.board_tables import ScalingRow
from models.jobs.scaling import Decision, Load

_PRESENT: Final = text(
    """
    select array(select jsonb_object_keys(queues)) from job_workers
     where not is_draining and beat_at > clock_timestamp() - cast(:lease as interval)
    """
)
#: The latest row of each service stays, however old: it is in force.
_FORGET: Final = text(
    """
    delete from job_scalings old where at < now() - interval '30 days'
       and exists (select from job_scalings newer where newer.service = old.service and newer.at > old.at)
    """
)


def load_of(queue: QueueView, at: datetime) -> Load:
    """What a queue asks of its workers at `at`.

    What a pause, a silence or a limit holds back is left to wait by more workers as well, so neither its number nor its
    age counts.
    """
    if queue.paused_at is not None or queue.closed_until is not None:
        return Load(running=queue.running)
    ready = queue.waiting
    if queue.max_running is not None:
        ready = min(ready, max(0, queue.max_running - queue.running))
    if queue.rate_burst is not None:
        ready = min(ready, queue.rate_burst)
    if queue.oldest_at is None or ready < queue.waiting:
        return Load(ready, queue.running)
    return Load(ready, queue.running, max(at - queue.oldest_at, timedelta()))


async def present(session: AsyncSession, lease: timedelta) -> list[frozenset[str]]:
    """The queues of each living worker that takes new jobs."""
    return [frozenset(queues) for queues in await session.scalars(_PRESENT, {"lease": lease})]


async def wanted(session: AsyncSession, service: str) -> int | None:
    """How many workers of a service are wanted; None if nobody has decided yet."""
    latest = select(ScalingRow.wanted).where(ScalingRow.service == service)
    return await session.scalar(latest.order_by(ScalingRow.at.desc()).limit(1))


async def decided(session: AsyncSession, decision: Decision) -> None:
    """Write a decision down: from now on it is in force."""
    await session.execute(insert(ScalingRow).values(asdict(decision)))


async def decisions(session: AsyncSession, limit: int) -> Sequence[ScalingRow]:
    """The latest decisions about any service, the newest first."""
    return (await session.scalars(select(ScalingRow).order_by(ScalingRow.at.desc()).limit(limit))).all()


async def forget_decisions(session: AsyncSession) -> None:
    """Delete what was decided more than a month ago and is not in force any more."""
    await session.execute(_FORGET)
