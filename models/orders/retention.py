"""Forgetting what somebody was about to order, long ago, and never paid for."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

#: Since it was last touched, or its last payment page was over: weeks longer than the slowest bank takes to settle.
KEPT: Final = timedelta(days=90)

#: A page that was over may have been paid for all the same: only long afterwards is that out of the question. What was
#: paid, or waits for a bank, keeps its draft whatever its age, since the order is made of it.
_FORGET: Final = text(
    """
    delete from orders_drafts where id = any(array(
           select id from orders_drafts draft
            where ordered_at is null and updated_at < :before
              and not exists (select from orders where draft_id = draft.id)
              and not exists (select from payments_checkouts where subject = 'draft/' || draft.id
                                 and (state not in ('expired', 'failed') or expires_at >= :before))
            order by updated_at limit :limit for update skip locked))
    returning id
    """
)


async def forget_drafts(session: AsyncSession, at: datetime, limit: int = 5000) -> int:
    """Delete up to `limit` drafts that were abandoned long ago, and return how many."""
    return len((await session.execute(_FORGET, {"before": at - KEPT, "limit": limit})).all())
