"""A slice that sells something, reduced to what it is told about its payments."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import text

from models.base.db import Database
from models.jobs import Job
from tasks.runs import Result, Work, runs

TABLE = "create table told (id bigint generated always as identity, what text, thing text, checkout_id uuid, state text)"

_TELL = text(
    "insert into told (what, thing, checkout_id, state)"
    " select :what, :thing, id, payment_state from payments_checkouts where id = :checkout_id"
)


class Sold(Job, frozen=True):
    """A thing has been paid for."""

    kind: ClassVar[str] = "test.sold"
    queue: ClassVar[str] = "test"

    thing: str
    checkout_id: UUID | None = None


class MoneyMoved(Job, frozen=True):
    """Something became of the money of a thing."""

    kind: ClassVar[str] = "test.money_moved"
    queue: ClassVar[str] = "test"

    checkout_id: UUID | None = None


@runs(Sold)
async def run_sold(job: Sold, work: Work) -> Result:
    async with work.finish() as session:
        await session.execute(_TELL, {"what": "sold", "thing": job.thing, "checkout_id": job.checkout_id})
    return None


@runs(MoneyMoved)
async def run_money_moved(job: MoneyMoved, work: Work) -> Result:
    async with work.finish() as session:
        await session.execute(_TELL, {"what": "moved", "thing": None, "checkout_id": job.checkout_id})
    return None


async def told(database: Database, what: str) -> list[tuple[str | None, UUID]]:
    """What the slice heard, in its order: the thing, or the state of the money when it heard."""
    column = "thing" if what == "sold" else "state"
    query = text(f"select {column}, checkout_id from told where what = :what order by id")
    async with database.transaction() as session:
        return [(row[0], row[1]) for row in (await session.execute(query, {"what": what})).all()]
