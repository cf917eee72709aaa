"""Requests that are sent twice and done once: a program names its request, and the name is kept for a day."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import IdempotencyKey
from models.base.errors import Invalid

KEPT: Final = timedelta(hours=24)


async def claim_key(
    session: AsyncSession, person_id: UUID, key: str, request: bytes, made_id: UUID, at: datetime
) -> UUID:
    """Take `key` for this request, which is about to make `made_id`; returns what there is to answer with: that,
    or what the same request made within the last day.

    Waits for a twin that is being handled at this moment. Raises `Invalid` if the key was another request's.
    """
    mine = IdempotencyKey.person_id == person_id
    await session.execute(delete(IdempotencyKey).where(mine, IdempotencyKey.created_at <= at - KEPT))
    digest = hashlib.sha256(request).digest()
    row = {"person_id": person_id, "key": key, "digest": digest, "made_id": made_id, "created_at": at}
    taken = insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.key)
    if await session.scalar(taken) is not None:
        return made_id
    query = select(IdempotencyKey.digest, IdempotencyKey.made_id).where(mine, IdempotencyKey.key == key)
    known, made = (await session.execute(query)).one()
    if known != digest:
        words = "Another request had this key within the last 24 hours. Give each request a key of its own."
        raise Invalid({"idempotencyKey": words})
    return made
