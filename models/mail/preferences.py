"""Which letters a person wants. Kept by address: that is what a letter's own link knows of its reader."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.crypto import Keys
from models.base.errors import NotFound
from models.mail.categories import ABOUT, Category, can_be_refused
from models.mail.rules import address_key
from models.mail.tables import Mute

_PURPOSE: Final = "unsubscribe"
_SEPARATOR: Final = "\x1f"
_LONGEST_TOKEN: Final = 1024


def offered(*, is_staff: bool) -> list[Category]:
    """The categories that a person can refuse, in the order in which they are shown."""
    return [
        one for one, about in ABOUT.items() if can_be_refused(one) and (is_staff or not about.is_for_staff)
    ]


async def is_muted(session: AsyncSession, address: str, category: Category) -> bool:
    """Whether the reader at this address has said that they want no such letters."""
    mine = exists().where(Mute.address == address_key(address), Mute.category == category)
    return bool(await session.scalar(select(mine)))


async def muted(session: AsyncSession, address: str) -> set[Category]:
    """Every category that the reader at this address does not want."""
    return set(
        (await session.scalars(select(Mute.category).where(Mute.address == address_key(address)))).all()
    )


async def mute(session: AsyncSession, address: str, categories: Collection[Category]) -> None:
    """Send no letters of these categories to this address. Saying it twice is saying it once."""
    rows = [
        {"address": address_key(address), "category": category}
        for category in categories
        if can_be_refused(category)
    ]
    if rows:
        await session.execute(insert(Mute).values(rows).on_conflict_do_nothing())


async def unmute(session: AsyncSession, address: str, categories: Collection[Category]) -> None:
    """Send letters of these categories again."""
    mine = Mute.address == address_key(address), Mute.category.in_(categories)
    await session.execute(delete(Mute).where(*mine))


# ---------------------------------------------------------------- the link in a letter
def unsubscribe_url(keys: Keys, public_url: str, address: str, category: Category) -> str:
    """The address at which letters of this category are refused with one press (RFC 8058).

    Sealed and not only signed: a link that is forwarded or logged does not tell whose it is.
    """
    sealed = keys.seal(_SEPARATOR.join((_PURPOSE, category.value, address_key(address))).encode())
    return f"{public_url}/unsubscribe/{sealed.decode().rstrip('=')}"


def read_unsubscribe(keys: Keys, token: str) -> tuple[str, Category]:
    """The address and the category that a letter's link stands for; raise `NotFound` for any that we did not make."""
    broken = NotFound("This link is not complete. Open it from the letter again.")
    if len(token) > _LONGEST_TOKEN or not token.isascii():
        raise broken
    try:
        opened = keys.unseal(f"{token}{'=' * (-len(token) % 4)}".encode()).decode()
        purpose, category, address = opened.split(_SEPARATOR)
        wanted = Category(category)
    except ValueError:
        raise broken from None
    if purpose != _PURPOSE:  # it is something else that we sealed
        raise broken
    return address, wanted
