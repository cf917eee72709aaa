"""Who may have something sent to whom: everybody to themselves, editors to anybody, which is written down."""

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.address import normal_address
from models.accounts.audit import audit
from models.accounts.queries import person_by_email
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import Invalid, NotFound
from models.base.paths import is_ours
from models.notices.jobs import Email, Notification


async def allowed_email(session: AsyncSession, asker: Person, wanted: Email) -> Email:
    """The letter as `asker` may have it sent. Raises `Invalid`, naming the field."""
    to = _recipient(asker, wanted.to)
    if to != asker.email:
        person = await person_by_email(session, to)
        await audit(session, asker, "letter.asked", f"person/{person.id if person else 'unknown'}")
    return replace(wanted, to=to)


async def allowed_notification(session: AsyncSession, asker: Person, wanted: Notification) -> Notification:
    """The notification as `asker` may have it shown. Raises `Invalid`, naming each field."""
    faults = {}
    if wanted.link is not None and not is_ours(wanted.link):
        faults["link"] = "Give a path of this site that begins with one /, percent-encoded."
    try:
        to = _recipient(asker, wanted.to or asker.email)
        person = await person_at(session, to)
    except Invalid as error:
        faults |= error.fields
    except NotFound as error:
        faults["to"] = error.words
    if faults:
        raise Invalid(faults)
    if to != asker.email:
        await audit(session, asker, "notification.asked", f"person/{person.id}")
    return replace(wanted, to=to)


async def person_at(session: AsyncSession, address: str) -> Person:
    """The person with this address. Raises `NotFound`."""
    person = await person_by_email(session, address)
    if person is None or person.erased_at is not None:
        raise NotFound("Nobody with this address is known here.")
    return person


def _recipient(asker: Person, address: str) -> str:
    to = normal_address(address, field="to")
    if to != asker.email and not asker.role.includes(Role.EDITOR):
        raise Invalid({"to": f"You can have this sent to yourself alone, {asker.email}."})
    return to
