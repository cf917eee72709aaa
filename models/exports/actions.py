"""Asking for reports, keeping them, handing them out, and forgetting them. Who takes data away is written down."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Invalid, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.exports.data_sets import DataSet
from models.exports.jobs import Report
from models.exports.tables import Export

#: How many files are forgotten at once.
AT_ONCE: Final = 200


def offered(sets: Mapping[str, DataSet], person: Person) -> list[DataSet]:
    """The sets of data that this person may have reports of."""
    return [one for one in sets.values() if person.role.includes(one.role)]


def chosen(sets: Mapping[str, DataSet], person: Person, wanted: Report) -> DataSet:
    """The set that a report is wanted of. Raises `Invalid`, naming those that there are for this person."""
    if found := next((one for one in offered(sets, person) if one.name == wanted.data_set), None):
        return found
    names = ", ".join(one.name for one in offered(sets, person))
    raise Invalid({"dataSet": f"There is no such set of data for you. There are: {names}."})


async def keep(
    session: AsyncSession,
    job_id: UUID,
    person: Person,
    wanted: Report,
    *,
    rows: int,
    size: int,
    keep_days: int,
) -> None:
    """Write down that this job has made its report, of so many rows and bytes."""
    made = Export(
        id=job_id,
        person_id=person.id,
        data_set=wanted.data_set,
        format=wanted.format,
        rows=rows,
        bytes=size,
        expires_at=now() + timedelta(days=keep_days),
    )
    session.add(made)
    await audit(
        session,
        person,
        "report.made",
        f"report/{job_id}",
        data_set=wanted.data_set,
        format=wanted.format,
        rows=rows,
    )


async def hand_out(session: AsyncSession, export_id: UUID, person: Person, at: datetime) -> Export:
    """One of this person's reports, for them to download. Raises `NotFound`, also once its time is over."""
    found = await session.get(Export, export_id)
    if found is None or found.person_id != person.id or found.expires_at <= at:
        raise NotFound("There is no such report, or it is not kept any more. Ask for it again.")
    await audit(session, person, "report.downloaded", f"report/{export_id}", data_set=found.data_set)
    return found


async def exports_of(
    session: AsyncSession, person_id: UUID, at: datetime, cursor: str | None = None
) -> Page[Export]:
    """A page of this person's reports that can be downloaded, the latest first."""
    query = select(Export).where(Export.person_id == person_id, Export.expires_at > at)
    if cursor:
        query = query.where(Export.id < decode_cursor(cursor, UUID)[0])
    rows = (await session.scalars(query.order_by(Export.id.desc()).limit(PAGE_SIZE + 1))).all()
    return page_of(rows, PAGE_SIZE, lambda one: [one.id])


async def expired(session: AsyncSession, at: datetime) -> list[Export]:
    """Reports whose time is over."""
    query = select(Export).where(Export.expires_at <= at).order_by(Export.expires_at).limit(AT_ONCE)
    return list(await session.scalars(query))


async def forget(session: AsyncSession, exports: list[Export]) -> None:
    """Forget reports whose files are deleted."""
    await session.execute(delete(Export).where(Export.id.in_([one.id for one in exports])))
