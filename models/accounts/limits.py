"""How often letters may be asked for, counted where they are written.

PostgreSQL counts, not Redis: the rows are the requests, so a counter can neither be lost nor disagree with
them, and the lock that makes counting exact ends with the transaction that adds to the count.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.address import mailbox_of
from models.accounts.rules import ADDRESS_LIMITS, BREAKER, NETWORK_LIMITS, Limit
from models.accounts.tables import SignInRequest
from models.base.errors import TooMany

# In the order of their numbers, so that two requests which share both locks cannot wait for each other.
_LOCK = text(
    "select pg_advisory_xact_lock(key) from"
    " (select hashtextextended(name, 7) as key from unnest(cast(:names as text[])) as name order by key) as keys"
)


async def hold_place(session: AsyncSession, email: str, network: str) -> None:
    """From here to the end of the transaction, nobody else counts for this mailbox or this network."""
    names = [f"sign-in/email/{mailbox_of(email)}", f"sign-in/network/{network}"]
    await session.execute(_LOCK, {"names": names})


async def check_limits(
    session: AsyncSession, *, email: str, network: str, browser_hash: bytes, at: datetime
) -> None:
    """Raise `TooMany` if another letter now would be one too many for the mailbox, the network or everybody.

    A browser that has signed in with this address before is counted by itself. Otherwise, whoever asks for
    letters to somebody else's address all day would keep its owner out all day. The last limit is counted
    without a lock, so it may be passed by as many as ask in the same instant: it guards the machine, not a person.
    """
    mine = (SignInRequest.email == email) & (SignInRequest.browser_hash == browser_hash)
    is_known = await session.scalar(
        select(SignInRequest.id).where(mine, SignInRequest.consumed_at.is_not(None)).limit(1)
    )
    of_address = mine if is_known else SignInRequest.mailbox == mailbox_of(email)
    await _check(session, of_address, ADDRESS_LIMITS, at)
    await _check(session, SignInRequest.network == network, NETWORK_LIMITS, at)
    await _check(session, true(), (BREAKER,), at)


async def _check(
    session: AsyncSession, which: ColumnElement[bool], limits: Sequence[Limit], at: datetime
) -> None:
    widest = max(limit.window for limit in limits)
    most = max(limit.count for limit in limits)
    # Only the latest few matter, and an index holds them in this order.
    times = select(SignInRequest.created_at).where(which, SignInRequest.created_at > at - widest)
    latest = (await session.scalars(times.order_by(SignInRequest.created_at.desc()).limit(most))).all()
    waits = [
        latest[limit.count - 1] + limit.window - at
        for limit in limits
        if len(latest) >= limit.count and latest[limit.count - 1] > at - limit.window
    ]
    if waits:
        raise TooMany(
            f"That was asked for too often. Wait {_words(max(waits))}, then try again. "
            "If you have a letter from us, its code may still work.",
            max(waits),
        )


def _words(wait: timedelta) -> str:
    minutes = -(-wait // timedelta(minutes=1))
    if minutes < 90:  # noqa: PLR2004 - up to here people count in minutes
        return f"{minutes} minute{'s' if minutes != 1 else ''}"
    return f"{-(-wait // timedelta(hours=1))} hours"
