"""Refunds that are too large for one person: whoever asks writes down what should be done, another admin does it.

Nothing of it reaches the customer, or the order, before the second person has confirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.accounts.audit import audit
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed, new_id
from models.base.errors import Conflict, Forbidden, Invalid, NotFound
from models.base.settings import Settings
from models.base.states import sources
from models.orders.moves import held
from models.orders.reviewing import MAX_REASON, refund, reject
from models.orders.states import OrderStatus
from models.orders.tables import Order
from models.payments.refunds import refundable
from models.payments.states import REQUEST_MOVES, RequestState
from models.payments.tables import RefundRequest

REFUND: Final = "refund"
REJECTION: Final = "rejection"
_ENDED: Final = frozenset({OrderStatus.COMPLETED, OrderStatus.FAILED})


# ---------------------------------------------------------------- the first person
async def refund_or_ask(
    session: AsyncSession, settings: Settings, order_id: UUID, person: Person, words: str
) -> bool:
    """Refund an ended order, or ask for a second person if it is too much for one. True if it is done.

    Raises what `reviewing.refund` raises, and `Conflict` if somebody has asked already.
    """
    order = await held(session, order_id)
    if order.status in _ENDED and await _ask(session, settings, order, person, REFUND, words):
        return False
    await refund(session, order_id, person, words)
    return True


async def reject_or_ask(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    person: Person,
    words: str,
    seen: UUID | None = None,
) -> bool:
    """Reject an order with its refund, or ask for a second person if that is too much for one. True if it is done.

    Raises what `reviewing.reject` raises, and `Conflict` if somebody has asked already.
    """
    order = await held(session, order_id)
    if order.status not in _ENDED and await _ask(session, settings, order, person, REJECTION, words, seen):
        return False
    await reject(session, settings, order_id, person, words, seen=seen)
    return True


async def _ask(
    session: AsyncSession,
    settings: Settings,
    order: Order,
    person: Person,
    deed: str,
    words: str,
    seen: UUID | None = None,
) -> bool:
    can = await refundable(session, order.checkout_id)
    if can.obstacle is not None or not settings.refunds.wants_second_person(can.left_cents):
        return False
    if not await has_second_person(session, person):
        return False
    if deed == REJECTION and seen is not None and seen != order.submitted_version_id:
        raise Conflict(
            "The order has changed since you opened this page. Look at it as it is now, then decide."
        )
    if await waiting_for(session, order.checkout_id) is not None:
        raise Conflict("A refund of this order waits for a second person already.")
    request = RefundRequest(
        id=new_id(),
        checkout_id=order.checkout_id,
        deed=deed,
        reason=_reason(words),
        seen=seen,
        amount_cents=can.left_cents,
        currency=order.currency,
        state=RequestState.WAITING,
        asked_by=person.id,
    )
    session.add(request)
    await session.flush()
    await _write_down(session, person, "asked_for", order.id, request, words=request.reason)
    return True


# ---------------------------------------------------------------- the second person
async def has_second_person(session: AsyncSession, person: Person) -> bool:
    """Whether an admin other than this person could decide. Who is alone decides alone: a shop of one gives back too."""
    others = (Person.role == Role.ADMIN, Person.disabled_at.is_(None), Person.id != person.id)
    return bool(await session.scalar(select(exists().where(*others))))


async def confirm(session: AsyncSession, settings: Settings, request_id: UUID, person: Person) -> Order:
    """Do what was asked for. Two who confirm at once do it once: the other gets `Conflict`.

    Raises `Forbidden` for whoever asked and for those who are no admins, and `Conflict` if it cannot be done any
    more: the request waits on then, to be declined.
    """
    request, order = await _decided(session, request_id, person, RequestState.CONFIRMED)
    can = await refundable(session, order.checkout_id)
    if can.left_cents != request.amount_cents:
        raise Conflict("The amount that can be refunded has changed since. Decline this, and ask anew.")
    await _write_down(session, person, "confirmed", order.id, request)
    if request.deed == REJECTION:
        return await reject(session, settings, order.id, person, request.reason, seen=request.seen)
    await refund(session, order.id, person, request.reason)
    return order


async def decline(session: AsyncSession, request_id: UUID, person: Person, words: str) -> Order:
    """Leave it undone, and say why. Raises as `confirm` does, and `Invalid` without a reason."""
    words = _reason(words, "Say why not: whoever asked will read it.")
    request, order = await _decided(session, request_id, person, RequestState.DECLINED, words)
    await _write_down(session, person, "declined", order.id, request, words=words)
    return order


async def _decided(
    session: AsyncSession, request_id: UUID, person: Person, there: RequestState, words: str | None = None
) -> tuple[RefundRequest, Order]:
    """Move the request if it still waits and this person may. The order is held before, as everywhere."""
    request = await session.get(RefundRequest, request_id)
    if request is None:
        raise NotFound("There is no such request.")
    order_id = await session.scalar(select(Order.id).where(Order.checkout_id == request.checkout_id))
    if order_id is None:
        raise NotFound("There is no such order.")
    order = await held(session, order_id)
    if not person.role.includes(Role.ADMIN):
        raise Forbidden("Only an admin can decide about this refund.")
    if request.asked_by == person.id:
        raise Forbidden("You asked for this refund, so somebody else has to decide about it.")
    statement = (
        update(RefundRequest)
        .where(RefundRequest.id == request_id, RefundRequest.state.in_(sources(REQUEST_MOVES, there)))
        .values(state=there, decided_by=person.id, decided_at=now(), decision=words)
        .returning(RefundRequest)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    moved = (await session.scalars(statement)).one_or_none()
    if moved is None:
        raise Conflict("Somebody has decided about this refund already.")
    return moved, order


async def _write_down(
    session: AsyncSession,
    person: Person,
    what: str,
    order_id: UUID,
    request: RefundRequest,
    words: str | None = None,
) -> None:
    detail: dict[str, str | int] = {
        "request": str(request.id),
        "deed": request.deed,
        "amount_cents": request.amount_cents,
        "currency": request.currency,
    }
    if words is not None:
        detail["reason"] = words
    await audit(session, person, f"order.refund_{what}", f"order/{order_id}", **detail)
    # The customer's own page listens to `order/<id>`, and has nothing to see here.
    changed(session, "orders")


def _reason(words: str, missing: str = "Say why, in words that the second person will read.") -> str:
    words = words.strip()
    if not words:
        raise Invalid({"reason": missing})
    if len(words) > MAX_REASON:
        raise Invalid({"reason": f"Shorten the reason to {MAX_REASON} characters."})
    return words


# ---------------------------------------------------------------- reading
@dataclass(frozen=True, slots=True)
class Waiting:
    """A refund that waits for a second person, or the last one that did."""

    id: UUID
    order_id: UUID
    order_number: int
    is_test: bool
    deed: str
    reason: str
    amount_cents: int
    currency: str
    state: RequestState
    asked_by: UUID
    asked_by_email: str
    asked_at: datetime


async def waiting_for(session: AsyncSession, checkout_id: UUID) -> RefundRequest | None:
    """The request about this payment that nobody has decided about yet."""
    query = select(RefundRequest).where(
        RefundRequest.checkout_id == checkout_id, RefundRequest.state == RequestState.WAITING
    )
    return (await session.scalars(query)).one_or_none()


async def waiting_requests(session: AsyncSession, limit: int = 50) -> Sequence[Waiting]:
    """The refunds that wait for a second person, the oldest first."""
    query = _looked_at().where(RefundRequest.state == RequestState.WAITING)
    rows = await session.execute(query.order_by(RefundRequest.asked_at).limit(limit))
    return [Waiting(*row) for row in rows]


async def request_of(session: AsyncSession, request_id: UUID) -> Waiting:
    """One of them; raise `NotFound` if there is none."""
    row = (await session.execute(_looked_at().where(RefundRequest.id == request_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such request.")
    return Waiting(*row)


def _looked_at() -> Select[Any]:
    asker = aliased(Person)
    columns: tuple[Any, ...] = (
        RefundRequest.id,
        Order.id,
        Order.number,
        Order.is_test,
        RefundRequest.deed,
        RefundRequest.reason,
        RefundRequest.amount_cents,
        RefundRequest.currency,
        RefundRequest.state,
        RefundRequest.asked_by,
        asker.email,
        RefundRequest.asked_at,
    )
    return (
        select(*columns)
        .join(Order, Order.checkout_id == RefundRequest.checkout_id)
        .join(asker, asker.id == RefundRequest.asked_by)
    )
