"""The audit log: who did what to what, written in the transaction of the deed and never changed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import AuditEntry, Person


async def audit(
    session: AsyncSession, actor: Person | str, action: str, subject: str, **detail: str | int | bool | None
) -> None:
    """Write down that `actor` (a person, or `system`, `stripe`) did `action` to `subject` (`order/<id>`).

    `action` reads like `order.approved`. `detail` is what explains it later; never a secret, a code or a token.
    """
    person = actor if isinstance(actor, Person) else None
    session.add(
        AuditEntry(
            actor_id=person.id if person else None,
            actor=person.role.value if person else str(actor),
            action=action,
            subject=subject,
            detail=detail,
        )
    )
    await session.flush()


async def history_of(session: AsyncSession, subject: str, *, limit: int = 100) -> Sequence[AuditEntry]:
    """What was done to `subject`, latest first."""
    entries = select(AuditEntry).where(AuditEntry.subject == subject)
    return (await session.scalars(entries.order_by(AuditEntry.id.desc()).limit(limit))).all()


async def deeds_of(session: AsyncSession, person_id: UUID, *, limit: int = 100) -> Sequence[AuditEntry]:
    """What this person did, latest first."""
    entries = select(AuditEntry).where(AuditEntry.actor_id == person_id)
    return (await session.scalars(entries.order_by(AuditEntry.id.desc()).limit(limit))).all()
