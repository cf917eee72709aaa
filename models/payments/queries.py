"""What pages show of payments. Reads only."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.paging import PAGE_SIZE
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow
from models.payments.moves import paid_key, paid_with
from models.payments.states import CheckoutState, InvoiceKind
from models.payments.tables import Checkout, Dispute, Invoice, Refund

_STRIPE_ID: Final = re.compile(r"(cs|pi|ch|py|re|pyr|dp|du)_[A-Za-z0-9_]{4,250}")
#: Names that Stripe gives to the same kind of object for other methods of payment.
_SAME: Final = {"py": "ch", "pyr": "re", "du": "dp"}
_INVOICE: Final = re.compile(r"(?P<test>TEST-)?(?P<kind>INV|CN)-(?P<year>\d{4})-(?P<number>\d{1,9})")


async def own_checkout(session: AsyncSession, checkout_id: UUID, person_id: UUID | None) -> Checkout:
    """The checkout, if it is this person's; else `NotFound`."""
    checkout = await session.get(Checkout, checkout_id)
    if checkout is None or person_id is None or checkout.person_id != person_id:
        raise NotFound
    return checkout


async def own_basket(session: AsyncSession, checkout_id: UUID, person_id: UUID | None) -> Sequence[Checkout]:
    """The checkout and those that are paid on one page with it, if they are this person's; else `NotFound`."""
    await own_checkout(session, checkout_id, person_id)
    return (await session.scalars(paid_with(checkout_id))).all()


def checkouts_named(name: str) -> Select[Any] | None:
    """The ids of the checkouts that a name of Stripe's (`cs_…`, `pi_…`, `ch_…`, `re_…`, `dp_…`) or an invoice's
    number leads to, to be asked for; None if it looks like neither.
    """
    if number := _INVOICE.fullmatch(name.strip().upper()):
        kind = InvoiceKind.INVOICE if number["kind"] == "INV" else InvoiceKind.CREDIT_NOTE
        return select(Invoice.checkout_id).where(
            Invoice.is_live == (number["test"] is None),
            Invoice.kind == kind,
            Invoice.year == int(number["year"]),
            Invoice.number == int(number["number"]),
        )
    if not _STRIPE_ID.fullmatch(name.strip()):
        return None
    found: Select[Any] = {
        "cs": select(Checkout.id).where(Checkout.session_id == name),
        "pi": select(Checkout.id).where(Checkout.payment_intent_id == name),
        "ch": select(Checkout.id).where(Checkout.charge_id == name),
        "re": select(Refund.checkout_id).where(Refund.stripe_id == name),
        "dp": select(Dispute.checkout_id).where(Dispute.stripe_id == name),
    }[_SAME.get(name.partition("_")[0], name.partition("_")[0])]
    return found


async def payments_of(session: AsyncSession, person_id: UUID, limit: int = PAGE_SIZE) -> Sequence[Checkout]:
    """The latest attempts of a person to pay, also those that came to nothing; the latest first."""
    query = select(Checkout).where(Checkout.person_id == person_id).order_by(Checkout.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


class Aftermath(StrEnum):
    """How far the job is that was left for the moment of payment."""

    NONE = "none"
    UNDER_WAY = "under_way"
    DONE = "done"
    STUCK = "stuck"


async def aftermaths(session: AsyncSession, checkouts: Sequence[Checkout]) -> dict[UUID, Aftermath]:
    """Whether what was paid for has come into being, of each. A finished job is forgotten some day, and was done then."""
    keys = {paid_key(one.id): one.id for one in checkouts if one.state is CheckoutState.PAID}
    mine = (JobRow.subject.in_([one.subject for one in checkouts]), JobRow.unique_key.in_(keys))
    query = select(JobRow.unique_key, JobRow.state).where(*mine).order_by(JobRow.id)
    found = {keys[str(key)]: _follows(state) for key, state in await session.execute(query)}
    paid = dict.fromkeys(keys.values(), Aftermath.DONE)
    return {one.id: Aftermath.NONE for one in checkouts} | paid | found


def _follows(state: JobState) -> Aftermath:
    if state in {JobState.DEAD, JobState.CANCELLED}:
        return Aftermath.STUCK
    return Aftermath.UNDER_WAY if state in UNFINISHED else Aftermath.DONE
