"""Forgetting what was told long ago."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.tables import JobRow
from models.notices.forgetting import forget_words
from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Notice

NOTICES_KEPT: Final = timedelta(days=180)
DELIVERIES_KEPT: Final = timedelta(days=30)
#: Nobody's address (RFC 2606, section 2).
_NOBODY: Final = "forgotten@deleted.invalid"


async def forget_old(session: AsyncSession, at: datetime, words_kept: timedelta) -> None:
    """Delete notices, and deliveries that are done with, once their time is over. Jobs that are kept because they
    died lose address and text as letters do, `words_kept` after their end.
    """
    await session.execute(delete(Notice).where(Notice.created_at < at - NOTICES_KEPT))
    done = (Delivery.created_at < at - DELIVERIES_KEPT, Delivery.state != DeliveryState.WAITING)
    await session.execute(delete(Delivery).where(*done))
    await forget_words(session, JobRow.finished_at < at - words_kept, instead=_NOBODY)
