"""Forgetting sign-ins that are over, so that nobody can read years later who came when, and from where."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

#: Twice as long as any session lasts: a browser that comes back within that is known by its last sign-in (`limits`).
KEPT: Final = timedelta(days=60)

_FORGET: Final = """
    delete from {table} where id = any(array(
           select id from {table} where {column} < :before limit :limit for update skip locked))
    returning id
"""
_FORGET_REQUESTS: Final = text(_FORGET.format(table="accounts_sign_in_requests", column="created_at"))
_FORGET_SESSIONS: Final = text(_FORGET.format(table="accounts_sessions", column="expires_at"))


async def forget_sign_ins(session: AsyncSession, at: datetime, limit: int = 5000) -> int:
    """Delete sign-in requests and sessions of long ago. Returns how many rows it touched: as many as `limit` of
    either kind at once. That somebody signed in stays in the audit log.
    """
    asked = {"before": at - KEPT, "limit": limit}
    return max(
        [len((await session.execute(one, asked)).all()) for one in (_FORGET_REQUESTS, _FORGET_SESSIONS)]
    )
