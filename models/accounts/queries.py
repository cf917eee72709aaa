"""Looking people up."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Text, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of


async def person(session: AsyncSession, person_id: UUID) -> Person:
    """The person with this id; raise `NotFound` if there is none."""
    found = await session.get(Person, person_id)
    if found is None:
        raise NotFound("There is no such person.")
    return found


async def person_by_email(session: AsyncSession, email: str) -> Person | None:
    """The person with this address, which must be in its normal form."""
    return (await session.scalars(select(Person).where(Person.email == email))).one_or_none()


async def staff(session: AsyncSession, role: Role = Role.EDITOR) -> Sequence[Person]:
    """Everybody who may do what `role` may and whose account is open: who hears of what needs a person."""
    roles = [one for one in Role if one.is_staff and one.includes(role)]
    query = select(Person).where(Person.role.in_(roles), Person.disabled_at.is_(None))
    return (await session.scalars(query.order_by(Person.email))).all()


async def people(session: AsyncSession, *, search: str = "", cursor: str | None = None) -> Page[Person]:
    """People whose address, or whose address's domain, begins with `search`, the latest to come first."""
    query = select(Person).order_by(Person.id.desc()).limit(PAGE_SIZE + 1)
    if search:
        words = search.strip().lower()
        # Written as its index has it. An extension for looking inside of words would have to be in every PostgreSQL.
        domain: ColumnElement[str] = literal_column("split_part(accounts_people.email, '@', 2)", Text)
        query = query.where(
            or_(
                Person.email.startswith(words, autoescape=True),
                domain.startswith(words.removeprefix("@"), autoescape=True),
            )
        )
    if cursor:
        (before,) = decode_cursor(cursor, UUID)
        query = query.where(Person.id < before)
    rows = (await session.scalars(query)).all()
    return page_of(rows, PAGE_SIZE, lambda one: [one.id])
