"""What is left of letters when their reader has gone: that one was written, and when."""

from typing import Final

from sqlalchemy import case, delete, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.forgetting import forget_in_errors
from models.jobs.tables import JobRow
from models.mail.jobs import SendLetter
from models.mail.rules import address_key
from models.mail.states import LetterState
from models.mail.tables import EmailEvent, EmailMessage, Mute

#: Letters to others that name the address stand beside those to it, about the same matters: an order is told of to
#: its customer and to the editors.
_FORGET_MENTIONS: Final = text(
    """
    update email_messages
       set facts = (select jsonb_object_agg(name, case value when to_jsonb(cast(:address as text))
                           then to_jsonb(cast(:instead as text)) else value end) from jsonb_each(facts) fact (name, value)),
           sealed_mime = null
     where about = any(array(select distinct about from email_messages where to_address = :address and about is not null))
       and to_address <> :address
       and exists (select from jsonb_each(facts) fact (name, value) where value = to_jsonb(cast(:address as text)))
    """
)


async def forget_address(session: AsyncSession, address: str, instead: str) -> None:
    """Take this address, and every word written to it, out of the letters; what waits is not sent any more.

    `instead` stands in its place, in letters to others as well. An address that must not be written to stays known
    as one: whoever has it next did not ask for letters either.
    """
    await session.execute(_FORGET_MENTIONS, {"address": address, "instead": instead})
    # A letter that a worker is sending this moment keeps its state: the worker says how that ended.
    waiting = EmailMessage.state.in_(
        (LetterState.QUEUED, LetterState.FAILED, LetterState.UNKNOWN, LetterState.WITHHELD)
    )
    forgotten = (
        update(EmailMessage)
        .where(EmailMessage.to_address == address)
        .values(
            to_address=instead,
            key=func.replace(EmailMessage.key, address, instead),
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
    sending = (JobRow.kind == SendLetter.kind, JobRow.queue == SendLetter.queue)
    theirs = JobRow.args["email_id"].astext.in_([str(one) for one in letters])
    await forget_in_errors(session, *sending, theirs, words=address, instead=instead)
    await session.execute(delete(EmailEvent).where(EmailEvent.letter_id.in_(letters)))
    await session.execute(delete(Mute).where(Mute.address == address_key(address)))
