"""The inbox of the provider's messages: each is written down once, and handled by a job."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.errors import NotFound
from models.base.states import move
from models.jobs import enqueue
from models.mail import sns
from models.mail.actions import was_told
from models.mail.feedback import Feedback, decoded, read_feedback
from models.mail.jobs import ConfirmTopic, HandleMailEvent
from models.mail.sns import SnsMessage
from models.mail.states import EVENT_MOVES, EventState, LetterState
from models.mail.suppressions import suppress
from models.mail.tables import EmailEvent, EmailMessage

log = structlog.get_logger(__name__)

#: What is kept of a message whose text is not an event.
_LONGEST_TEXT: Final = 1000
_NOT_AN_EVENT: Final = (KeyError, TypeError, ValueError, AttributeError)


async def write_down(session: AsyncSession, message: SnsMessage) -> bool:
    """Write a verified message down and ask for what follows, once for each id. False if it was here already."""
    event = decoded(message.text) if message.type == sns.NOTIFICATION else None
    told = _read(event) if event is not None else None
    confirms = message.type == sns.CONFIRMATION
    row = {
        "id": message.id,
        "type": told.type if told else message.type,
        "letter_id": told.letter_id if told else None,
        "payload": event if event is not None else {"text": message.text[:_LONGEST_TEXT]},
        "state": EventState.RECEIVED if told or confirms else EventState.IGNORED,
        "problem": None if told or confirms else "it is not an event of a letter",
        "received_at": message.sent_at,
    }
    written = insert(EmailEvent).values(row).on_conflict_do_nothing(index_elements=["id"])
    if await session.scalar(written.returning(EmailEvent.id)) is None:
        return False
    if confirms:
        assert message.token is not None
        await enqueue(session, ConfirmTopic(event_id=message.id, token=message.token))
    elif told:
        await enqueue(session, HandleMailEvent(event_id=message.id))
    else:
        log.warning("mail.event_ignored", sns_message=message.id, type=message.type)
    return True


async def handle_event(session: AsyncSession, event_id: str, at: datetime) -> EventState:
    """Do what follows from an event: move its letter, and suppress the address that is not to be written to."""
    query = select(EmailEvent).where(EmailEvent.id == event_id).with_for_update()
    event = (await session.scalars(query)).one_or_none()
    if event is None:
        raise NotFound("There is no such event.")
    if event.state is not EventState.RECEIVED:
        return event.state
    told = read_feedback(event.payload)
    letter = await _letter(session, told)
    if letter is None:
        return await settle(session, event, EventState.IGNORED, at, "no letter of ours")
    event.letter_id = letter.id
    problem = await _follow(session, letter, told, told.at or at)
    return await settle(session, event, EventState.PROCESSED, at, problem)


async def settle(
    session: AsyncSession, event: EmailEvent, there: EventState, at: datetime, problem: str | None = None
) -> EventState:
    """The end of an event's way."""
    event.state, event.processed_at, event.problem = move(EVENT_MOVES, event.state, there), at, problem
    await session.flush()
    return there


async def _follow(session: AsyncSession, letter: EmailMessage, told: Feedback, at: datetime) -> str | None:
    if told.suppression is not None:
        await suppress(
            session, letter.to_address, told.suppression, detail=told.detail, letter_id=letter.id, at=at
        )
    if told.provider_id is not None and letter.provider_id is None:
        await session.execute(
            update(EmailMessage).where(EmailMessage.id == letter.id).values(provider_id=told.provider_id)
        )
    if told.state is None:
        return await _note(session, letter, told.detail)
    if told.is_passing and letter.state is LetterState.DELIVERED:
        return "it had arrived: an answer of its reader's mailbox"
    if await was_told(session, letter, told.state, at, told.detail):
        return None
    return f"the letter was {letter.state.value} already"


async def _note(session: AsyncSession, letter: EmailMessage, detail: str | None) -> str | None:
    """A delay moves nothing, but is what somebody who waits for the letter wants to read."""
    if detail is not None and letter.state in {LetterState.SENT, LetterState.UNKNOWN}:
        await session.execute(update(EmailMessage).where(EmailMessage.id == letter.id).values(error=detail))
        changed(session, "mail")
        if letter.about:
            changed(session, letter.about)
    return None


async def _letter(session: AsyncSession, told: Feedback) -> EmailMessage | None:
    """The letter by our tag, or else by SES's id. It exists before it is sent, so none is of another product."""
    letter_id: UUID | None = told.letter_id
    if letter_id is None and told.provider_id is not None:
        mine = EmailMessage.provider_id == told.provider_id
        letter_id = await session.scalar(select(EmailMessage.id).where(mine).limit(1))
    return None if letter_id is None else await session.get(EmailMessage, letter_id, with_for_update=True)


def _read(event: dict[str, object]) -> Feedback | None:
    try:
        return read_feedback(event)
    except _NOT_AN_EVENT:
        return None
