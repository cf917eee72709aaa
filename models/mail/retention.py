"""Forgetting what letters said, so that what leaks one day is not the correspondence of years."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_FORGET_TEXTS = text(
    """
    update email_messages set sealed_mime = null, sealed_facts = null, facts = '{}' where id = any(array(
           select id from email_messages
            where created_at < :before and (sealed_mime is not null or facts <> '{}')
              and state not in ('queued', 'sending') and (state <> 'unknown' or claimed_at < :before)
            order by created_at limit :limit for update skip locked))
    returning id
    """
)
_FORGET_EVENTS = text(
    """
    delete from email_events where id = any(array(
           select id from email_events where received_at < :before order by received_at limit :limit
              for update skip locked))
    returning id
    """
)


async def forget_letters(session: AsyncSession, age: timedelta, at: datetime, limit: int = 5000) -> int:
    """Wipe the text of letters that were written longer ago than `age`, sent or not, and delete the events of that
    time. What may still go out keeps its text; a letter of which nothing was heard for so long does not.

    That a letter was sent, when, to whom and what became of it is kept. Returns how many rows it touched: as many
    as `limit` of either kind at once.
    """
    asked = {"before": at - age, "limit": limit}
    return max([len((await session.execute(one, asked)).all()) for one in (_FORGET_TEXTS, _FORGET_EVENTS)])
