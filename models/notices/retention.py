"""Forgetting what was told long ago."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Notice

NOTICES_KEPT: Final = timedelta(days=180)
DELIVERIES_KEPT: Final = timedelta(days=30)


async def forget_old(session: AsyncSession, at: datetime) -> None:
    """Delete notices, and deliveries that are done with, once their time is over."""
    await session.execute(delete(Notice).where(Notice.created_at < at - NOTICES_KEPT))
    done = (Delivery.created_at < at - DELIVERIES_KEPT, Delivery.state != DeliveryState.WAITING)
    await session.execute(delete(Delivery).where(*done))
