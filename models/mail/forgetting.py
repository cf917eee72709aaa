"""What is left of letters when their reader has gone: that one was written, and when."""

from sqlalchemy import case, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.mail.rules import address_key
from models.mail.states import LetterState
from models.mail.tables import EmailEvent, EmailMessage, Mute


async def forget_address(session: AsyncSession, address: str, instead: str) -> None:
    """Take this address, and every word written to it, out of the letters; what waits is not sent any more.

    `instead` stands in its place. An address that must not be written to stays known as one: whoever has it next
    did not ask for letters either.
    """
    # A letter that a worker is sending this moment keeps its state: the worker says how that ended.
    waiting = EmailMessage.state.in_(
        (LetterState.QUEUED, LetterState.FAILED, LetterState.UNKNOWN, LetterState.WITHHELD)
    )
    forgotten = (
        update(EmailMessage)
        .where(EmailMessage.to_address == address)
        .values(
            to_address=instead,
            facts={},
            sealed_facts=None,
            sealed_mime=None,
            subject=None,
            error=None,
            state=case((waiting, LetterState.OBSOLETE), else_=EmailMessage.state),
        )
        .returning(EmailMessage.id)
    )
    letters = (await session.scalars(forgotten)).all()
    await session.execute(delete(EmailEvent).where(EmailEvent.letter_id.in_(letters)))
    await session.execute(delete(Mute).where(Mute.address == address_key(address)))
