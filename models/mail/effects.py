"""The letters that a job has sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow
from models.mail.jobs import SendLetter
from models.mail.states import LetterState as S
from models.mail.tables import EmailMessage

_UNDER_WAY: Final = frozenset({S.SENDING, S.UNKNOWN})
_GONE: Final = frozenset({S.SENT, S.DELIVERED, S.BOUNCED, S.COMPLAINED})


def effect_of(letter: EmailMessage, step: str) -> Effect:
    """A letter as an effect: its provider takes no key, so a lost answer leaves a question, which the row keeps."""
    if letter.state in _GONE:
        known = Known.MAYBE_AGAIN if letter.lost else Known.ONCE
    elif letter.state in _UNDER_WAY:
        known = Known.UNSURE
    else:
        known = Known.NOT_YET if letter.state is S.QUEUED else Known.NEVER
    about = letter.about or f"letter/{letter.id}"
    words = f"It is {letter.state.value}: handed over {_times(letter.attempts)}"
    words += f", {letter.lost} of them without an answer." if letter.lost else "."
    return Effect(about, step, f"letter {letter.kind}", letter.key, known, words)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


async def _letter(session: AsyncSession, job: JobRow) -> list[Effect]:
    letter = await session.get(EmailMessage, SendLetter.read(job.args).email_id)
    return [effect_of(letter, job.kind)] if letter is not None else []


async def own_letters(session: AsyncSession, job: JobRow) -> list[Effect]:
    """The letters that a job has written itself."""
    query = select(EmailMessage).where(EmailMessage.about == f"job/{job.id}").order_by(EmailMessage.id)
    return [effect_of(one, job.kind) for one in await session.scalars(query)]


async def unsure(session: AsyncSession, before: datetime, most: int) -> list[Effect]:
    """Letters that were handed over, and whose answer was lost."""
    # In the words of the index of those.
    begun = (EmailMessage.state.in_([S.SENDING, S.UNKNOWN]), EmailMessage.claimed_at < before)
    query = select(EmailMessage).where(*begun).order_by(EmailMessage.claimed_at.desc()).limit(most)
    return [
        replace(effect_of(one, SendLetter.kind), at=one.claimed_at) for one in await session.scalars(query)
    ]


EFFECTS: Final[Mapping[str, Effects]] = {SendLetter.kind: _letter}
