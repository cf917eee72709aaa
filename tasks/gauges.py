"""What the dispatcher that acts tells of the whole installation, for `models.base.metrics` to show."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import metrics
from models.jobs.board import queues

log = structlog.get_logger(__name__)

#: Each is asked by an index over the few rows that it counts.
_COUNTS: Final = text(
    """
    select (select count(*) from jobs where state = 'dead') as dead,
           (select count(*) from email_messages
             where state in ('sending', 'unknown') and claimed_at < now() - interval '1 minute') as unsettled,
           (select count(*) from payments_stripe_events where state in ('received', 'stranded')) as unhandled
    """
)


async def measure(session: AsyncSession, lease: timedelta, at: datetime) -> None:
    """Set every gauge of the installation to what is so at `at`."""
    for queue in await queues(session, lease):
        age = max((at - queue.oldest_at).total_seconds(), 0) if queue.oldest_at else 0
        metrics.JOBS_WAITING.labels(queue.name).set(queue.waiting)
        metrics.JOBS_OLDEST_WAITING_SECONDS.labels(queue.name).set(age)
        metrics.JOBS_RUNNING.labels(queue.name).set(queue.running)
        metrics.JOBS_SLOTS.labels(queue.name).set(queue.slots)
        if queue.waiting:
            standing = {"ready": queue.waiting, "running": queue.running, "oldest_ready_seconds": round(age)}
            log.info("queue.standing", queue=queue.name, **standing)
    counts = (await session.execute(_COUNTS)).one()
    metrics.JOBS_DEAD.set(counts.dead)
    metrics.MAIL_UNSETTLED.set(counts.unsettled)
    metrics.WEBHOOKS_UNHANDLED.set(counts.unhandled)
