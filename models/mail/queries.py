"""Letters, as the people who look after the mail read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.mail.rules import address_key
from models.mail.states import LetterState
from models.mail.suppressions import suppression_of
from models.mail.tables import EmailEvent, EmailMessage, Suppression

#: A letter without its text: who looks after the mail has no business in it.
_OUTSIDE = (
    defer(EmailMessage.sealed_mime, raiseload=True),
    defer(EmailMessage.sealed_facts, raiseload=True),
    defer(EmailMessage.facts, raiseload=True),
)
#: States that somebody may want to see to, counted on the tabs. Queued letters are many when nobody takes them.
TROUBLED = (
    LetterState.UNKNOWN,
    LetterState.FAILED,
    LetterState.BOUNCED,
    LetterState.COMPLAINED,
    LetterState.QUEUED,
)


async def letters(
    session: AsyncSession,
    *,
    state: LetterState | None = None,
    search: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[EmailMessage]:
    """A page of letters in this state to addresses that begin with `search`, the latest first."""
    query = select(EmailMessage).options(*_OUTSIDE).order_by(EmailMessage.id.desc()).limit(size + 1)
    if state is not None:
        query = query.where(EmailMessage.state == state)
    if search:
        query = query.where(EmailMessage.to_address.startswith(address_key(search), autoescape=True))
    if cursor:
        query = query.where(EmailMessage.id < decode_cursor(cursor, UUID)[0])
    return page_of((await session.scalars(query)).all(), size, lambda row: [row.id])


async def trouble_counts(session: AsyncSession) -> dict[LetterState, int]:
    """How many letters are in each state that somebody may want to see to."""
    query = select(EmailMessage.state, func.count()).where(EmailMessage.state.in_(TROUBLED))
    rows = await session.execute(query.group_by(EmailMessage.state))
    return dict.fromkeys(TROUBLED, 0) | {state: count for state, count in rows}  # noqa: C416 - a Row is no pair to mypy


@dataclass(frozen=True, slots=True)
class LetterRecord:
    """One letter, what was told about it, and whether its address is written to."""

    letter: EmailMessage
    #: Oldest first.
    events: Sequence[EmailEvent]
    suppression: Suppression | None


async def letter_record(session: AsyncSession, letter_id: UUID) -> LetterRecord:
    """Everything about one letter but its text. Raises `NotFound`."""
    letter = await session.get(EmailMessage, letter_id, options=_OUTSIDE)
    if letter is None:
        raise NotFound("There is no such letter.")
    events = select(EmailEvent).where(EmailEvent.letter_id == letter_id).order_by(EmailEvent.received_at)
    return LetterRecord(
        letter,
        (await session.scalars(events.limit(100))).all(),
        await suppression_of(session, letter.to_address),
    )
