"""Telling an account's owner that a way into it has changed, so that a thief cannot add one unseen.

Written in the transaction of the change by whoever asks for it, who alone knows where the wish came from.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.rules import browser_words
from models.accounts.tables import ApiToken, Passkey, Person
from models.base.clock import day_words, moment_words
from models.mail.actions import write_letter


def origin_words(user_agent: str, network: str) -> str:
    """Where a wish came from, such as `Firefox on Linux, 198.51.100.1`."""
    return f"{browser_words(user_agent)}, {network}"


async def tell_of_passkey(
    session: AsyncSession, person: Person, key: Passkey, change: str, *, origin: str, url: str, at: datetime
) -> None:
    """Say that a passkey was `added` or `removed`. `origin` as `origin_words`, `url` the product's address."""
    about = f"{url}/account/sessions"
    await _tell(session, person, f"passkey_{change}", key.id, origin, at, name=key.name, account_url=about)


async def tell_of_no_passkey(
    session: AsyncSession, person: Person, deed_id: UUID, *, origin: str, url: str, at: datetime
) -> None:
    """Say that no passkey is left: a letter is enough again. `deed_id` names what took the last one away."""
    await _tell(session, person, "passkeys_gone", deed_id, origin, at, account_url=f"{url}/account/sessions")


async def tell_of_token(
    session: AsyncSession,
    person: Person,
    token: ApiToken,
    change: str,
    *,
    origin: str,
    url: str,
    at: datetime,
) -> None:
    """Say that an API token was `made` or `revoked`."""
    facts = {"name": token.name, "prefix": token.prefix, "account_url": f"{url}/account/tokens"}
    if change == "made":
        facts |= {"scopes": ", ".join(token.scopes), "expires_on": day_words(token.expires_at)}
    await _tell(session, person, f"token_{change}", token.id, origin, at, **facts)


async def _tell(
    session: AsyncSession, person: Person, kind: str, about: UUID, origin: str, at: datetime, **facts: Any
) -> None:
    told = {"changed_at": moment_words(at), "changed_from": origin} | facts
    await write_letter(session, f"accounts.{kind}", person.email, told, key=f"{kind}:{about}")
