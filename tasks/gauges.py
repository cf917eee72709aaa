"""What the dispatcher that acts tells of the whole installation, for `models.base.metrics` to show."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import metrics
from models.jobs.board import MOST_COUNTED, queues

log = structlog.get_logger(__name__)

#: By queue or service: cleared, these tell nothing, while those without a label always tell a number.
_BY_LABEL: Final = (
    metrics.JOBS_WAITING,
    metrics.JOBS_OLDEST_WAITING_SECONDS,
    metrics.JOBS_RUNNING,
    metrics.JOBS_SLOTS,
    metrics.WORKERS_WANTED,
)
_IN_ALL: Final = (metrics.JOBS_DEAD, metrics.MAIL_UNSETTLED, metrics.WEBHOOKS_UNHANDLED)

#: Each is asked by an index over the few rows that it counts; dead letters pile up, and are counted to `MOST_COUNTED`.
_COUNTS: Final = text(
    """
    select (select count(*) from (select from jobs where state = 'dead' limit :most + 1) dead_letters) as dead,
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
    counts = (await session.execute(_COUNTS, {"most": MOST_COUNTED})).one()
    metrics.JOBS_DEAD.set(counts.dead)
    metrics.MAIL_UNSETTLED.set(counts.unsettled)
    metrics.WEBHOOKS_UNHANDLED.set(counts.unhandled)


def forget() -> None:
    """Tell nothing of the installation any more: what is not measured anew would be believed for as long as we live."""
    for gauge in _BY_LABEL:
        gauge.clear()
    for gauge in _IN_ALL:
        gauge.set(0)
