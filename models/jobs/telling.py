"""Saying that a job looks different now."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed


def tell(session: AsyncSession, job_id: UUID, subject: str | None) -> None:
    """Say it to whoever looks at the job, or at what it is about, once this commits."""
    changed(session, f"job/{job_id}")
    if subject:
        changed(session, subject)
