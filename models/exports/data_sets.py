"""Sets of data that reports are made of. Each part that has some lists them as `DATA_SETS` in a module of this name;
`models.everything` gathers them. Here are those of the platform.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from sqlalchemy import Select, func, select

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import Database
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage

#: What a cell may hold. Moments are written in UTC.
Cell: TypeAlias = str | int | Decimal | bool | datetime | None
#: Rows, some hundred at a time: no transaction stays open while a file is written.
Lots: TypeAlias = AsyncIterator[Sequence[Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set of data: for whom it is, its columns, and how its rows are read for the person who asks."""

    name: str
    title: str
    role: Role
    columns: tuple[str, ...]
    rows: Callable[[Database, Person], Lots]


def counted(query: Select[*tuple[Cell, ...]]) -> Callable[[Database, Person], Lots]:
    """The rows of a query that counts, and so has few of them."""

    async def rows(database: Database, _person: Person) -> Lots:
        async with database.transaction() as session:
            found = (await session.execute(query)).all()
        yield [tuple(row) for row in found]

    return rows


DATA_SETS: Final = (
    DataSet(
        "jobs",
        "Jobs by kind and state",
        Role.EDITOR,
        ("kind", "queue", "state", "jobs", "first_asked", "last_asked"),
        counted(
            select(
                JobRow.kind,
                JobRow.queue,
                JobRow.state,
                func.count(),
                func.min(JobRow.created_at),
                func.max(JobRow.created_at),
            )
            .group_by(JobRow.kind, JobRow.queue, JobRow.state)
            .order_by(JobRow.kind, JobRow.queue, JobRow.state)
        ),
    ),
    DataSet(
        "letters",
        "Letters by month, kind and state",
        Role.EDITOR,
        ("month", "kind", "state", "letters"),
        counted(
            select(
                month := func.to_char(func.timezone("UTC", EmailMessage.created_at), "YYYY-MM"),
                EmailMessage.kind,
                EmailMessage.state,
                func.count(),
            )
            .group_by(month, EmailMessage.kind, EmailMessage.state)
            .order_by(month, EmailMessage.kind, EmailMessage.state)
        ),
    ),
)
