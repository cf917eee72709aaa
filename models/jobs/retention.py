"""Forgetting finished jobs, so that a year of work costs what a week costs."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

#: Dead jobs are kept: somebody has to look at them.
_FORGET = text(
    """
    delete from jobs where id = any(array(
           select id from jobs
            where finished_at < now() - cast(:age as interval) and state in ('completed', 'cancelled')
            order by finished_at limit :limit for update skip locked))
    """
)


async def forget_finished(session: AsyncSession, age: timedelta, limit: int = 5000) -> None:
    """Delete up to `limit` jobs that completed or were cancelled more than `age` ago."""
    await session.execute(_FORGET, {"age": age, "limit": limit})
