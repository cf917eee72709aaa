"""Everything that is kept about one person, table by table, for them to take away (GDPR, articles 15 and 20).

No list of tables to be forgotten: what belongs to somebody is read off the tables themselves. A row is theirs if
its `person_id` is theirs, or if it cannot be without a row of theirs: a foreign key that is never null, or one that
says `info={"is_personal": True}`. A job is theirs if they asked for it, and may see it over the API.
"""

from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Table, and_, or_, select
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import AuditEntry, Person, SignInRequest
from models.base.db import Row
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage, Mute, Suppression

#: Digests, keys and sealed letters: nobody can read them, and search indexes say nothing new.
_UNREADABLE: Final = (LargeBinary, TSVECTOR)
_STRETCH: Final = 500


def tables_of(person: Person, kinds: Collection[str]) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Each table that holds something about this person, with what tells their rows from others'. Of the jobs that they
    asked for, those of these kinds are theirs to see.
    """
    people = Person.__table__
    owned: dict[Table, ColumnElement[bool]] = {}
    tables = Row.metadata.sorted_tables
    for table in (*tables, *tables):  # two that name each other can stand in either order
        if (condition := _ownership(table, owned, person.id)) is not None:
            owned[table] = condition
    yield people, people.c.id == person.id  # type: ignore[misc]  # a Table, though typed as a FromClause
    yield from owned.items()
    for row, condition in _by_address(person):
        yield row.__table__, condition  # type: ignore[misc]  # as above
    # Without what hangs on them: logs and tracebacks tell of the shop, and the API shows them to nobody.
    yield JobRow.__table__, and_(JobRow.asked_by == person.id, JobRow.kind.in_(kinds))  # type: ignore[misc]  # as above
    about = or_(AuditEntry.actor_id == person.id, AuditEntry.subject == f"person/{person.id}")
    yield AuditEntry.__table__, about  # type: ignore[misc]  # as above


def _by_address(person: Person) -> list[tuple[type[Row], ColumnElement[bool]]]:
    address = person.email
    return [
        (SignInRequest, SignInRequest.email == address),
        (EmailMessage, EmailMessage.to_address == address),
        (Mute, Mute.address == address),
        (Suppression, Suppression.address == address),
    ]


def _ownership(
    table: Table, owned: dict[Table, ColumnElement[bool]], person_id: UUID
) -> ColumnElement[bool] | None:
    people = Person.__tablename__
    for key in table.foreign_keys:
        if key.column.table.name == people and key.parent.name == "person_id":
            return key.parent == person_id
    for key in table.foreign_keys:
        parent = key.column.table
        if parent in owned and (not key.parent.nullable or key.parent.info.get("is_personal")):
            return key.parent.in_(select(key.column).where(owned[parent]))
    return None


async def rows_of(
    session: AsyncSession, table: Table, condition: ColumnElement[bool]
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a table, without what nobody can read, fetched a few hundred at a time."""
    columns = [one for one in table.columns if not isinstance(one.type, _UNREADABLE)]
    query = select(*columns).where(condition).order_by(*table.primary_key.columns)
    answer = await session.stream(query.execution_options(yield_per=_STRETCH))
    async for row in answer.mappings():
        yield dict(row)
