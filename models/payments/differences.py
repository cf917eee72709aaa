"""Differences between Stripe's books and ours: the list of them, and a person's word that one is understood."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Conflict, Invalid, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, page_of
from models.payments.tables import Difference

MAX_REASON = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A difference, and who has understood it, if somebody has."""

    row: Difference
    understood_by: str | None

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it."""
        return self.row.gone_at is None and self.row.understood_at is None


async def differences(session: AsyncSession, cursor: str | None = None) -> Page[Found]:
    """A page of every difference that was ever found, the latest first."""
    query = _with_person().order_by(Difference.found_at.desc(), Difference.id.desc()).limit(PAGE_SIZE + 1)
    if cursor:
        before = tuple_(*decode_cursor(cursor, instant, UUID))
        query = query.where(tuple_(Difference.found_at, Difference.id) < before)
    rows = [Found(*one) for one in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda one: [one.row.found_at, one.row.id])


async def difference(session: AsyncSession, difference_id: UUID) -> Found:
    """One of them; raise `NotFound` if there is none."""
    found = (await session.execute(_with_person().where(Difference.id == difference_id))).one_or_none()
    if found is None:
        raise NotFound("There is no such difference.")
    return Found(*found)


async def open_differences(session: AsyncSession) -> int:
    """How many differences somebody has to look at. Should be none."""
    query = select(func.count()).where(Difference.gone_at.is_(None), Difference.understood_at.is_(None))
    return await session.scalar(query) or 0


def _with_person() -> Select[Difference, str]:
    return select(Difference, Person.email).outerjoin(Person, Person.id == Difference.understood_by)


async def understand(
    session: AsyncSession, difference_id: UUID, person: Person, reason: str, at: datetime | None = None
) -> None:
    """Take note of a difference: this person knows what it is, and says so for the audit log.

    It counts no more among what is wrong; if it ever becomes another one, it does again. Raises `Invalid`
    without a reason, `Conflict` if it is settled already, `NotFound`.
    """
    reason = reason.strip()
    if not reason:
        raise Invalid({"reason": "Say what it is, so that whoever reads the books understands it too."})
    if len(reason) > MAX_REASON:
        raise Invalid({"reason": f"Shorten the reason to {MAX_REASON} characters."})
    is_open = (Difference.gone_at.is_(None), Difference.understood_at.is_(None))
    statement = (
        update(Difference)
        .where(Difference.id == difference_id, *is_open)
        .values(understood_at=at or now(), understood_by=person.id, reason=reason)
        .returning(Difference.stripe_id)
        .execution_options(synchronize_session=False)
    )
    stripe_id = (await session.scalars(statement)).one_or_none()
    if stripe_id is None:
        await difference(session, difference_id)
        raise Conflict("This difference is settled already.")
    about = f"difference/{difference_id}"
    await audit(session, person, "difference.understood", about, stripe_id=stripe_id, reason=reason)
