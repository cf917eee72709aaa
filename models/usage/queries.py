"""What has been asked of models, and what it has cost so far."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.usage.tables import ModelCallRow


async def kept_answer(session: AsyncSession, subject: str, once: str) -> ModelCallRow | None:
    """The call whose answer was kept for this need of the subject, if it has been made."""
    query = select(ModelCallRow).where(
        ModelCallRow.subject == subject, ModelCallRow.once == once, ModelCallRow.answer.is_not(None)
    )
    # Two workers may both have asked, one of them no longer in charge: the first answer stays the answer.
    return (await session.scalars(query.order_by(ModelCallRow.id).limit(1))).one_or_none()


async def spent_cents(
    session: AsyncSession,
    *,
    subject: str | None = None,
    since: datetime | None = None,
    jobs: Select[UUID] | None = None,
) -> Decimal:
    """What the calls have cost, in US cents; those that have not ended count with what they reserved. `jobs`: the ids of
    those that asked.
    """
    cost = func.coalesce(ModelCallRow.cost_cents, ModelCallRow.reserved_cents)
    query = select(func.coalesce(func.sum(cost), 0))
    if subject is not None:
        query = query.where(ModelCallRow.subject == subject)
    if since is not None:
        query = query.where(ModelCallRow.started_at >= since)
    if jobs is not None:
        query = query.where(ModelCallRow.job_id.in_(jobs))
    return Decimal((await session.execute(query)).scalar_one())
