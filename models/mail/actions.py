"""Writing letters, and every move that a letter makes on its way out."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Text, case, cast, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed, new_id
from models.base.errors import Conflict, NotFound
from models.base.states import move, sources
from models.jobs import Wish, enqueue, enqueue_all
from models.mail.categories import ABOUT, can_be_refused, category_of
from models.mail.jobs import SendLetter
from models.mail.preferences import is_muted
from models.mail.rules import (
    CLAIM_LIFE,
    FINAL,
    RESENDABLE,
    RESENDS,
    SETTLING,
    can_be_resent,
    is_nobodys,
    is_sent_again,
    is_stale,
    is_withheld_from,
)
from models.mail.states import MOVES, LetterState
from models.mail.states import LetterState as S
from models.mail.suppressions import suppression_of
from models.mail.tables import EmailMessage

#: How many letters are looked at again at once.
AT_ONCE: Final = 500
#: What only the provider knows.
TOLD: Final = frozenset({S.DELIVERED, S.BOUNCED, S.COMPLAINED})


async def write_letter(
    session: AsyncSession,
    kind: str,
    to: str,
    facts: Mapping[str, Any],
    *,
    key: str,
    about: str | None = None,
    sealed: bytes | None = None,
    expires_at: datetime | None = None,
    is_test: bool = False,
) -> UUID | None:
    """Write the letter `kind` (`orders.backlink_ready`) and ask for it to be sent.

    `facts` are the letter's keyword arguments as JSON values; those that open doors go into `sealed` instead
    (`Keys.seal` of a JSON object). `key` is built from ids and counters: returns None, and writes nothing, if a
    letter with it exists. After `expires_at` it is not sent any more, and never sent twice by itself.
    """
    email_id = await _insert(
        session,
        kind=kind,
        key=key,
        to_address=to,
        facts=dict(facts),
        sealed_facts=sealed,
        about=about,
        expires_at=expires_at,
        is_test=is_test,
    )
    if email_id is not None:
        await enqueue(session, SendLetter(email_id=email_id), subject=about)
    return email_id


async def write_own_letter(
    session: AsyncSession, kind: str, to: str, facts: Mapping[str, Any], *, key: str, about: str
) -> UUID:
    """Write the letter `kind` for a job that sends it itself, or find the one that it wrote before.

    One that was taken back when the job was cancelled gives its key up: a job that is tried again writes anew.
    """
    taken_back = update(EmailMessage).where(EmailMessage.key == key, EmailMessage.state == S.OBSOLETE)
    await session.execute(taken_back.values(key=EmailMessage.key + "/" + cast(EmailMessage.id, Text)))
    made = await _insert(session, kind=kind, key=key, to_address=to, facts=dict(facts), about=about)
    query = select(EmailMessage.id).where(EmailMessage.key == key)
    return made or (await session.execute(query)).scalar_one()


async def _insert(session: AsyncSession, *, about: str | None, **values: Any) -> UUID | None:
    """The id of a new letter, or None if there is one with its key."""
    correlation_id = structlog.contextvars.get_contextvars().get("correlation_id")
    row = {"id": new_id(), "about": about, "correlation_id": correlation_id, **values}
    written = insert(EmailMessage).values(row).on_conflict_do_nothing(index_elements=["key"])
    email_id: UUID | None = await session.scalar(written.returning(EmailMessage.id))
    if email_id is not None:
        changed(session, "mail")
        if about:
            changed(session, about)
    return email_id


async def next_step(session: AsyncSession, email_id: UUID, at: datetime) -> EmailMessage:
    """The letter, whose state says what there is to do: `queued` is to be sent, `sending` is being sent by
    somebody else at this moment, and anything else is done with.

    On the way, what has become clear by itself is written down: a code that ran out, an address or a reader that
    wants no such letters, a sender that died, and a lost answer that nobody has explained in time.
    """
    query = select(EmailMessage).where(EmailMessage.id == email_id).with_for_update()
    letter = (await session.scalars(query)).one_or_none()
    if letter is None:
        raise NotFound("There is no such letter.")
    claimed_at = letter.claimed_at or letter.created_at
    moved = None
    if letter.state is S.SENDING and claimed_at <= at - CLAIM_LIFE:
        moved = await answer_lost(session, email_id, "the sender stopped between asking and hearing", at)
    elif letter.state is S.QUEUED and is_stale(letter.expires_at, at):
        moved = await _move(
            session, email_id, {S.QUEUED}, S.OBSOLETE, error="worthless before it could be sent"
        )
    elif (
        letter.state is S.UNKNOWN
        and claimed_at <= at - SETTLING
        and is_sent_again(letter.lost, letter.expires_at)
    ):
        moved = await _move(session, email_id, {S.UNKNOWN}, S.QUEUED)
    letter = moved or letter
    if letter.state is S.QUEUED and (reason := await _obstacle(session, letter, at)):
        letter = await _move(session, email_id, {S.QUEUED}, S.WITHHELD, error=reason) or letter
    return letter


async def _obstacle(session: AsyncSession, letter: EmailMessage, at: datetime) -> str | None:
    """Why this letter may not be sent, asked again at every sending: the list may have grown while it waited."""
    if is_nobodys(letter.to_address):
        return "its reader has left"
    suppressed = await suppression_of(session, letter.to_address)
    if suppressed is not None:
        since = at - suppressed.created_at
        if is_withheld_from(letter.kind, is_complaint=suppressed.is_complaint, since=since):
            return f"the address is suppressed: {suppressed.why}"
    category = category_of(letter.kind)
    if can_be_refused(category) and await is_muted(session, letter.to_address, category):
        return f"its reader does not want such letters: {ABOUT[category].title.lower()}"
    return None


async def begin_sending(
    session: AsyncSession, email_id: UUID, *, subject: str | None, sealed_mime: bytes, way: str, at: datetime
) -> bool:
    """Claim the letter, to be committed before the call. False if somebody else was faster."""
    claim: dict[str, Any] = {"subject": subject, "sealed_mime": sealed_mime, "way": way, "claimed_at": at}
    attempts = EmailMessage.attempts + 1
    return bool(
        await _move(session, email_id, {S.QUEUED}, S.SENDING, attempts=attempts, error=null(), **claim)
    )


async def was_sent(session: AsyncSession, email_id: UUID, provider_id: str | None, at: datetime) -> None:
    """The way to send has taken it. True also of a letter that was given up as unknown in the meantime."""
    sent = {"provider_id": provider_id, "sent_at": at}
    if await _move(session, email_id, sources(MOVES, S.SENT), S.SENT, **sent) is None:
        # The provider's own events were faster than its answer.
        overtaken = EmailMessage.id == email_id, EmailMessage.state.in_(TOLD), EmailMessage.sent_at.is_(None)
        await session.execute(update(EmailMessage).where(*overtaken).values(**sent))


async def was_not_taken(session: AsyncSession, email_id: UUID, reason: str) -> None:
    """Proven not taken, so it may be sent again."""
    await _move(session, email_id, {S.SENDING}, S.QUEUED, error=reason)


async def has_failed(session: AsyncSession, email_id: UUID, reason: str) -> None:
    """It will not be sent: refused for good, or given up."""
    await _move(session, email_id, {S.QUEUED, S.SENDING}, S.FAILED, error=reason)


async def answer_lost(
    session: AsyncSession, email_id: UUID, reason: str, at: datetime
) -> EmailMessage | None:
    """Nobody knows whether it was taken. `settle_letters` looks again when events have had their time."""
    lost = EmailMessage.lost + 1
    return await _move(session, email_id, {S.SENDING}, S.UNKNOWN, error=reason, lost=lost, claimed_at=at)


async def settle_letters(session: AsyncSession, at: datetime) -> int:
    """Ask for another look at every letter that nobody can be waiting for any more.

    Those are letters whose sender died with its job, and business letters of whose lost answer nothing was heard:
    they go out once more. Returns how many were asked for.
    """
    died = (EmailMessage.state == S.SENDING) & (EmailMessage.claimed_at <= at - 2 * CLAIM_LIFE)
    unheard = (
        (EmailMessage.state == S.UNKNOWN)
        & (EmailMessage.claimed_at <= at - SETTLING)
        & (EmailMessage.lost <= RESENDS)
        & EmailMessage.expires_at.is_(None)
    )
    query = select(EmailMessage.id, EmailMessage.about).where(died | unheard)
    rows = await session.execute(query.order_by(EmailMessage.claimed_at).limit(AT_ONCE))
    wishes = [
        Wish(SendLetter(email_id=email_id), unique=f"settle/{email_id}", subject=about)
        for email_id, about in rows
    ]
    return len(await enqueue_all(session, wishes))


async def send_again(session: AsyncSession, email_id: UUID) -> EmailMessage:
    """Send a letter once more because a person wants it. Raises `NotFound`, or `Conflict` with what to do instead."""
    letter = await session.get(EmailMessage, email_id, with_for_update=True)
    if letter is None:
        raise NotFound("There is no such letter.")
    if letter.expires_at is not None:
        raise Conflict("What was in this letter has expired. Its reader can ask for another one.")
    if not can_be_resent(letter.state, letter.expires_at):
        raise Conflict(f"This letter is {letter.state.value} and is not sent again.")
    if not letter.facts:
        raise Conflict("What stood in this letter is forgotten by now, so it cannot be written again.")
    moved = await _move(session, email_id, RESENDABLE, S.QUEUED)
    await enqueue(session, SendLetter(email_id=email_id), subject=letter.about)
    return moved or letter


async def was_told(
    session: AsyncSession, letter: EmailMessage, there: LetterState, at: datetime, reason: str | None
) -> bool:
    """Move a letter to where the provider says that it is, if the drawing leads there. `at` is when that happened."""
    values: dict[str, Any] = {"told_at": at, "error": reason}
    if there is not S.FAILED:
        values["sent_at"] = func.coalesce(EmailMessage.sent_at, at)
    return await _move(session, letter.id, sources(MOVES, there), there, **values) is not None


async def drop_letters(session: AsyncSession, about: str, kinds: Collection[str]) -> int:
    """Take back what has not been sent and is no longer true, such as "ready" of a refunded order."""
    mine = (EmailMessage.about == about, EmailMessage.kind.in_(kinds), EmailMessage.state == S.QUEUED)
    waiting = (await session.scalars(select(EmailMessage.id).where(*mine))).all()
    moves = [await _move(session, one, {S.QUEUED}, S.OBSOLETE, error="no longer true") for one in waiting]
    return len([one for one in moves if one])


async def _move(
    session: AsyncSession, email_id: UUID, here: Collection[LetterState], there: LetterState, **values: Any
) -> EmailMessage | None:
    """One compare-and-set along the drawing. Returns the letter as it is now, or None if it was elsewhere."""
    for one in here:
        move(MOVES, one, there)
    if there in FINAL:
        values["sealed_facts"] = null()
    elif there is S.UNKNOWN:  # what expires is never sent again, so what opens doors has had its use
        forgotten = case((EmailMessage.expires_at.is_(None), EmailMessage.sealed_facts), else_=null())
        values["sealed_facts"] = forgotten
    statement = (
        update(EmailMessage)
        .where(EmailMessage.id == email_id, EmailMessage.state.in_(here))
        .values(state=there, **values)
        .returning(EmailMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    letter = (await session.scalars(statement)).one_or_none()
    if letter:
        changed(session, "mail")
        if letter.about:
            changed(session, letter.about)
    return letter
