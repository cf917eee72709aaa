"""The two axes of a checkout, moved by compare-and-set, and who is told."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Select, false, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.states import sources
from models.jobs import Job, enqueue
from models.jobs.message import unpack
from models.payments.rules import Owed
from models.payments.states import CHECKOUT_MOVES, PAYMENT_MOVES, CheckoutState, PaymentState
from models.payments.tables import Checkout

log = structlog.get_logger(__name__)


class Unknown(Exception):
    """Stripe speaks of a payment that was made for us and that we do not know, or do not know yet."""


class NotOurs(Exception):
    """Stripe speaks of a payment that something else on its account made."""


def first_of(basket: Sequence[Checkout]) -> Checkout:
    """The checkout that the payment page of a basket, or of one alone, is opened for."""
    return next(one for one in basket if one.basket_id in {None, one.id})


def owed(basket: Sequence[Checkout]) -> Owed:
    """What the payment page of these checkouts asks for, without their rows."""
    first, amount = first_of(basket), sum(one.amount_cents for one in basket)
    return Owed(first.id, first.subject, amount, first.currency, is_live=first.is_live)


def paid_key(checkout_id: UUID) -> str:
    """The unique key of the job that is asked for when a checkout is paid."""
    return f"checkout/{checkout_id}/paid"


def addressed(job: Job, checkout_id: UUID) -> dict[str, Any]:
    """The message to store, told of its checkout if it has a field `checkout_id`."""
    if "checkout_id" in job.__struct_fields__:
        job = msgspec.structs.replace(job, checkout_id=checkout_id)
    return job.packed()


async def move_checkout(
    session: AsyncSession, checkout_id: UUID, there: CheckoutState, **values: Any
) -> Checkout | None:
    """Move the checkout if the drawing allows it from where it is. Returns it as it is now, or None."""
    here = sources(CHECKOUT_MOVES, there)
    return await _move(session, checkout_id, Checkout.state, here, {"state": there} | values)


async def move_payment(
    session: AsyncSession, checkout_id: UUID, there: PaymentState, **values: Any
) -> Checkout | None:
    """Move what became of the money, and tell the slice by the message that it left for that."""
    here = sources(PAYMENT_MOVES, there)
    moved = await _move(session, checkout_id, Checkout.payment_state, here, {"payment_state": there} | values)
    if moved is not None:
        log.info("payments.moved", checkout=str(checkout_id), payment_state=there.value)
        await enqueue(session, unpack(moved.when_moved), subject=moved.subject)
    return moved


async def _move(
    session: AsyncSession, checkout_id: UUID, axis: Any, here: Collection[Any], values: dict[str, Any]
) -> Checkout | None:
    statement = (
        update(Checkout)
        .where(Checkout.id == checkout_id, axis.in_(here))
        .values(values)
        .returning(Checkout)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    moved = (await session.scalars(statement)).one_or_none()
    if moved is not None:
        changed(session, f"checkout/{checkout_id}")
        changed(session, moved.subject)
    return moved


async def hold(session: AsyncSession, checkout_id: UUID) -> Checkout:
    """The checkout, locked until the transaction ends: what is added up beside it must not change meanwhile."""
    query = select(Checkout).where(Checkout.id == checkout_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


def paid_with(checkout_id: UUID) -> Select[Checkout]:
    """The checkout and those that are paid on one page with it, in the one order in which they are ever locked."""
    basket = select(Checkout.basket_id).where(Checkout.id == checkout_id).scalar_subquery()
    either = or_(Checkout.id == checkout_id, Checkout.basket_id == basket)
    return select(Checkout).where(either).order_by(Checkout.id).execution_options(populate_existing=True)


async def hold_basket(session: AsyncSession, checkout_id: UUID) -> Sequence[Checkout]:
    """The checkout and those that are paid on one page with it, locked until the transaction ends."""
    return (await session.scalars(paid_with(checkout_id).with_for_update())).all()


async def find_paid(session: AsyncSession, intent_id: str | None, charge_id: str | None) -> UUID | None:
    """A checkout that a payment or a charge belongs to, any one of its basket; None if there is none here."""
    named = ((Checkout.payment_intent_id, intent_id), (Checkout.charge_id, charge_id))
    mine = or_(false(), *(column == name for column, name in named if name is not None))
    return await session.scalar(select(Checkout.id).where(mine).limit(1))
