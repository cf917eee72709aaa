"""A question that the tests ask, and how they ask it."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.usage.tables import ModelCallRow
from tasks.llm import Answer, Llm

SUBJECT = "order/1"
GOOD = '{"word": "harbour", "count": 2}'


class Word(BaseModel):
    """A word and how often it stands there."""

    model_config = ConfigDict(extra="forbid")

    word: str
    count: int


async def ask(llm: Llm, *, subject: str = SUBJECT, article: str = "The harbour wall is old.") -> Answer[Word]:
    return await llm.ask(
        "find_word",
        Word,
        {"article": article},
        subject=subject,
        instructions="Find the most telling word.",
        max_output_tokens=500,
    )


async def calls_of(session: AsyncSession, subject: str) -> Sequence[ModelCallRow]:
    """Every call made for the subject, oldest first."""
    query = select(ModelCallRow).where(ModelCallRow.subject == subject)
    return (await session.scalars(query.order_by(ModelCallRow.started_at, ModelCallRow.id))).all()


async def ledger(llm: Llm, subject: str = SUBJECT) -> Sequence[ModelCallRow]:
    async with llm.database.transaction() as session:
        return await calls_of(session, subject)
