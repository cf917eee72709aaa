"""Who may have something sent to whom: everybody to themselves, editors to anybody."""

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.address import normal_address
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import Invalid, NotFound
from models.notices.jobs import Email, Notification


async def allowed_email(_session: AsyncSession, asker: Person, wanted: Email) -> Email:
    """The letter as `asker` may have it sent. Raises `Invalid`, naming the field."""
    return replace(wanted, to=_recipient(asker, wanted.to))


async def allowed_notification(session: AsyncSession, asker: Person, wanted: Notification) -> Notification:
    """The notification as `asker` may have it shown. Raises `Invalid`, naming the field."""
    link = wanted.link
    if link is not None and (not link.startswith("/") or link.startswith(("//", "/\\"))):
        raise Invalid({"link": "Give a path of this site that begins with one /."})
    to = _recipient(asker, wanted.to or asker.email)
    try:
        await person_at(session, to)
    except NotFound as error:
        raise Invalid({"to": error.words}) from error
    return replace(wanted, to=to)


async def person_at(session: AsyncSession, address: str) -> Person:
    """The person with this address. Raises `NotFound`."""
    query = select(Person).where(Person.email == address, Person.erased_at.is_(None))
    person = (await session.scalars(query)).one_or_none()
    if person is None:
        raise NotFound("Nobody with this address is known here.")
    return person


def _recipient(asker: Person, address: str) -> str:
    to = normal_address(address, field="to")
    if to != asker.email and not asker.role.includes(Role.EDITOR):
        raise Invalid({"to": f"You can have this sent to yourself alone, {asker.email}."})
    return to
