"""Asking for money: a row with a frozen price first, then a page of Stripe's on which it can be paid once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict, NotFound
from models.jobs import Job
from models.payments.facts import SessionFacts
from models.payments.fulfilment import fulfil
from models.payments.moves import addressed, first_of, hold_basket, move_checkout, owed, paid_with
from models.payments.rules import OPENABLE, SESSION_LIFE, is_reusable, metadata_of
from models.payments.states import CheckoutState
from models.payments.stripe import PaymentRefused, Stripe
from models.payments.tables import Checkout

log = structlog.get_logger(__name__)

_ALREADY_PAID = "This has been paid for already."
_UNDER_WAY = "A payment for this is on its way from your bank. You do not need to pay again."
_REPLACED = "This payment page was replaced by a newer one."
_OPENED = "A payment page for this was opened in the meantime. Nothing was changed; try again."
_EXPIRED = "This payment page has expired. Nothing was charged."
_REFUSED = "The payment service did not accept this payment. Nothing was charged."

_PAYABLE = frozenset({CheckoutState.NEW, CheckoutState.OPEN})

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:subject, 4242))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is to be paid for one thing. `when_paid` is asked for once if it is paid, `when_moved` each time that the
    state of its payment moves; either is told which attempt it was if it has a field `checkout_id`.
    """

    subject: str
    person_id: UUID
    email: str
    description: str
    amount_cents: int
    currency: str
    when_paid: Job
    when_moved: Job
    return_path: str
    cancel_path: str
    is_live: bool

    def columns(self) -> dict[str, Any]:
        """What is written down of it, and has to be the same for an earlier attempt to be offered again."""
        jobs = {"when_paid", "when_moved"}
        wish = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in jobs}
        return wish | {"currency": self.currency.lower()}


async def expect_payment(session: AsyncSession, *things: Expected, at: datetime | None = None) -> Checkout:
    """Write down what is expected, and return the attempt to be opened: of several things, which are to be paid on one
    page by one person in one currency, the first.

    Earlier attempts that can still be paid, ask for the same and are paid together likewise are returned instead.
    Raises `Conflict` if a subject is paid already.
    """
    at = at or now()
    # In one order, so that two who want the same things do not wait for each other.
    for subject in sorted(one.subject for one in things):
        await session.execute(_LOCK, {"subject": subject})
    earlier = [next(iter(await _unpaid(session, one.subject)), None) for one in things]
    if all(last and _is_offered(last, one, at) for last, one in zip(earlier, things, strict=True)):
        attempts = [last for last in earlier if last]
        if await _are_together(session, attempts):
            return first_of(attempts)
    ids = [new_id() for _ in things]
    made = [
        Checkout(
            id=checkout_id,
            basket_id=ids[0] if len(things) > 1 else None,
            attempt=last.attempt + 1 if last else 1,
            state=CheckoutState.NEW,
            when_paid=addressed(one.when_paid, checkout_id),
            when_moved=addressed(one.when_moved, checkout_id),
            created_at=at,
            expires_at=at + SESSION_LIFE,
            **one.columns(),
        )
        for checkout_id, one, last in zip(ids, things, earlier, strict=True)
    ]
    session.add_all(made)
    await session.flush()
    return made[0]


async def _unpaid(session: AsyncSession, subject: str) -> Sequence[Checkout]:
    """Every attempt to pay for it, the latest first. Raises `Conflict` if one was paid or waits for a bank."""
    query = select(Checkout).where(Checkout.subject == subject).order_by(Checkout.attempt.desc())
    earlier = (await session.scalars(query)).all()
    states = {one.state for one in earlier}
    if CheckoutState.PAID in states:
        raise Conflict(_ALREADY_PAID)
    if CheckoutState.PENDING in states:
        raise Conflict(_UNDER_WAY)
    return earlier


def _is_offered(last: Checkout, thing: Expected, at: datetime) -> bool:
    is_same = all(getattr(last, name) == value for name, value in thing.columns().items())
    return is_same and is_reusable(last.state, last.created_at, last.expires_at, at)


async def _are_together(session: AsyncSession, attempts: Sequence[Checkout]) -> bool:
    """Whether these, and no others, are paid on one page."""
    there = (await session.scalars(paid_with(attempts[0].id))).all()
    return {one.id for one in there} == {one.id for one in attempts}


async def open_checkout(database: Database, stripe: Stripe, checkout_id: UUID, *, public_url: str) -> str:
    """The address of the page on which the attempt can be paid, with those of its basket; made at Stripe the first
    time.

    Takes a database and not a session, because no transaction is open while Stripe is slow. May be called again
    after any failure: the idempotency key makes the second call the first one. Earlier attempts of the subjects
    are closed first, so that nobody pays twice. Raises `Conflict` when it cannot be paid (any more), and
    `Temporary` when Stripe does not answer: nothing was charged then.
    """
    async with database.transaction() as session:
        basket = (await session.scalars(paid_with(checkout_id))).all()
        if not basket:
            raise NotFound
        rivals = await _rivals(session, basket)
    _refuse_if_over(*basket)
    first = first_of(basket)
    if first.state is CheckoutState.OPEN and first.session_url:
        if first.expires_at <= now():
            raise Conflict(_EXPIRED)
        return first.session_url
    for rival in rivals:
        await close_checkout(database, stripe, rival.id, public_url=public_url)
    facts = await begin_session(database, stripe, basket, public_url=public_url)
    if facts is None:
        raise Conflict(_REFUSED if now() - first.created_at < OPENABLE else _EXPIRED)
    async with database.transaction() as session:
        _refuse_if_over(*await fulfil(session, facts))
    if facts.url is None:
        raise Conflict(_REPLACED)
    return facts.url


def _refuse_if_over(*basket: Checkout) -> None:
    states = {one.state for one in basket}
    if states & {CheckoutState.PAID, CheckoutState.MISMATCH}:
        raise Conflict(_ALREADY_PAID)
    if CheckoutState.PENDING in states:
        raise Conflict(_UNDER_WAY)
    if states & {CheckoutState.EXPIRED, CheckoutState.FAILED}:
        raise Conflict(_REPLACED)


async def _rivals(session: AsyncSession, basket: Sequence[Checkout]) -> list[Checkout]:
    """The earlier attempts that could still be paid, one of each page. Raises `Conflict` if a subject is paid or
    asked for anew.
    """
    attempts = {one.subject: one.attempt for one in basket}
    others = (Checkout.subject.in_(attempts), Checkout.id.not_in([one.id for one in basket]))
    found = (await session.scalars(select(Checkout).where(*others).order_by(Checkout.attempt))).all()
    for other in found:
        if other.state in {CheckoutState.PAID, CheckoutState.PENDING}:
            _refuse_if_over(other)
        if other.attempt > attempts[other.subject]:
            raise Conflict(_REPLACED)
    payable = [one for one in found if one.state in _PAYABLE]
    return list({one.basket_id or one.id: one for one in payable}.values())


async def begin_session(
    database: Database, stripe: Stripe, basket: Sequence[Checkout], *, public_url: str
) -> SessionFacts | None:
    """Make the session of these checkouts, or find the one that an earlier call made and whose answer was lost.

    None if Stripe refuses: then there never was one, and the attempts have failed.
    """
    first = first_of(basket)
    try:
        return await stripe.create_session(
            key=f"checkout:{first.subject}:{first.attempt}",
            lines=[(one.description, one.amount_cents) for one in basket],
            currency=first.currency,
            email=first.email,
            metadata=metadata_of(owed(basket), first.attempt),
            expires_at=first.expires_at,
            success_url=f"{public_url}/payments/return/{first.id}?session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=f"{public_url}/payments/cancelled/{first.id}",
        )
    except PaymentRefused as refused:
        log.warning("payments.not_opened", checkout=str(first.id), code=refused.code, reason=str(refused))
        async with database.transaction() as session:
            for one in await hold_basket(session, first.id):
                await move_checkout(session, one.id, CheckoutState.FAILED, problem=str(refused))
        return None


async def payable_attempts(session: AsyncSession, subject: str) -> Sequence[UUID]:
    """The attempts on whose pages this can be paid now. They are closed before it is changed, so that what was read on
    the page is what is sold. Raises `Conflict` if it is paid already, or waits for a bank.
    """
    return [one.id for one in await _unpaid(session, subject) if one.state in _PAYABLE]


async def must_be_closed(session: AsyncSession, subject: str) -> None:
    """Refuse with `Conflict` what is paid for, or could be by now.

    Whoever changes the subject holds its row, as whoever asks for its payment does: one of them comes first.
    """
    if await payable_attempts(session, subject):
        raise Conflict(_OPENED)


async def close_checkout(database: Database, stripe: Stripe, checkout_id: UUID, *, public_url: str) -> None:
    """Make sure that nobody can pay on the page of this attempt any more, neither for it nor for those of its basket.

    Raises `Conflict` if somebody already has.
    """
    async with database.transaction() as session:
        basket = (await session.scalars(paid_with(checkout_id))).all()
    session_id = basket[0].session_id
    if session_id is None:
        # It may exist all the same: the answer that named it can have been lost.
        begun = await begin_session(database, stripe, basket, public_url=public_url)
        if begun is None:
            return
        session_id = begun.id
    try:
        facts = await stripe.expire_session(session_id)
    except PaymentRefused:
        facts = await stripe.fetch_session(session_id)
    async with database.transaction() as session:
        closed = await fulfil(session, facts)
    if any(one.state not in {CheckoutState.EXPIRED, CheckoutState.FAILED} for one in closed):
        _refuse_if_over(*closed)
