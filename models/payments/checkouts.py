"""Asking for money: a row with a frozen price first, then a page of Stripe's on which it can be paid once."""

from datetime import datetime
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
from models.payments.moves import addressed, move_checkout, owed
from models.payments.rules import OPENABLE, SESSION_LIFE, is_reusable, metadata_of
from models.payments.states import CheckoutState
from models.payments.stripe import PaymentRefused, Stripe
from models.payments.tables import Checkout

log = structlog.get_logger(__name__)

_ALREADY_PAID = "This has been paid for already."
_UNDER_WAY = "A payment for this is on its way from your bank. You do not need to pay again."
_REPLACED = "This payment page was replaced by a newer one."
_EXPIRED = "This payment page has expired. Nothing was charged."
_REFUSED = "The payment service did not accept this payment. Nothing was charged."

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:subject, 4242))")


async def expect_payment(
    session: AsyncSession,
    *,
    subject: str,
    person_id: UUID,
    email: str,
    description: str,
    amount_cents: int,
    currency: str,
    when_paid: Job,
    when_moved: Job,
    return_path: str,
    cancel_path: str,
    is_live: bool,
    at: datetime | None = None,
) -> Checkout:
    """Write down that `amount_cents` are expected for `subject`, and return the attempt to be opened.

    An earlier attempt that can still be paid and asks for the same is returned instead. `when_paid` is asked for
    once if this attempt is paid, `when_moved` each time that the state of its payment moves; either is told
    which attempt it was if it has a field `checkout_id`. Raises `Conflict` if the subject is paid already.
    """
    at = at or now()
    await session.execute(_LOCK, {"subject": subject})
    wish = {
        "subject": subject,
        "person_id": person_id,
        "email": email,
        "description": description,
        "amount_cents": amount_cents,
        "currency": currency.lower(),
        "return_path": return_path,
        "cancel_path": cancel_path,
        "is_live": is_live,
    }
    query = select(Checkout).where(Checkout.subject == subject).order_by(Checkout.attempt.desc())
    earlier = (await session.scalars(query)).all()
    states = {one.state for one in earlier}
    if CheckoutState.PAID in states:
        raise Conflict(_ALREADY_PAID)
    if CheckoutState.PENDING in states:
        raise Conflict(_UNDER_WAY)
    last = earlier[0] if earlier else None
    if last and is_reusable(last.state, last.created_at, last.expires_at, at) and _is_same(last, wish):
        return last
    attempt = last.attempt + 1 if last else 1
    checkout_id = new_id()
    checkout = Checkout(
        id=checkout_id,
        attempt=attempt,
        state=CheckoutState.NEW,
        when_paid=addressed(when_paid, checkout_id),
        when_moved=addressed(when_moved, checkout_id),
        created_at=at,
        expires_at=at + SESSION_LIFE,
        **wish,
    )
    session.add(checkout)
    await session.flush()
    return checkout


def _is_same(checkout: Checkout, wish: dict[str, object]) -> bool:
    return all(getattr(checkout, name) == value for name, value in wish.items())


async def open_checkout(database: Database, stripe: Stripe, checkout_id: UUID, *, public_url: str) -> str:
    """The address of the page on which the attempt can be paid; made at Stripe the first time.

    Takes a database and not a session, because no transaction is open while Stripe is slow. May be called again
    after any failure: the idempotency key makes the second call the first one. Earlier attempts of the subject
    are closed first, so that nobody pays twice. Raises `Conflict` when it cannot be paid (any more), and
    `Temporary` when Stripe does not answer: nothing was charged then.
    """
    async with database.transaction() as session:
        checkout = await session.get(Checkout, checkout_id)
        if checkout is None:
            raise NotFound
        rivals = await _rivals(session, checkout)
    _refuse_if_over(checkout)
    if checkout.state is CheckoutState.OPEN and checkout.session_url:
        if checkout.expires_at <= now():
            raise Conflict(_EXPIRED)
        return checkout.session_url
    for rival in rivals:
        await close_checkout(database, stripe, rival, public_url=public_url)
    facts = await begin_session(database, stripe, checkout, public_url=public_url)
    if facts is None:
        raise Conflict(_REFUSED if now() - checkout.created_at < OPENABLE else _EXPIRED)
    async with database.transaction() as session:
        opened = await fulfil(session, facts)
    _refuse_if_over(opened)
    if facts.url is None:
        raise Conflict(_REPLACED)
    return facts.url


def _refuse_if_over(checkout: Checkout) -> None:
    if checkout.state in {CheckoutState.PAID, CheckoutState.MISMATCH}:
        raise Conflict(_ALREADY_PAID)
    if checkout.state is CheckoutState.PENDING:
        raise Conflict(_UNDER_WAY)
    if checkout.state in {CheckoutState.EXPIRED, CheckoutState.FAILED}:
        raise Conflict(_REPLACED)


async def _rivals(session: AsyncSession, checkout: Checkout) -> list[Checkout]:
    """The earlier attempts that could still be paid. Raises `Conflict` if the subject is paid or asked for anew."""
    others = (Checkout.subject == checkout.subject, Checkout.id != checkout.id)
    found = (await session.scalars(select(Checkout).where(*others).order_by(Checkout.attempt))).all()
    for other in found:
        if other.state in {CheckoutState.PAID, CheckoutState.PENDING}:
            _refuse_if_over(other)
        if other.attempt > checkout.attempt:
            raise Conflict(_REPLACED)
    return [one for one in found if one.state in {CheckoutState.NEW, CheckoutState.OPEN}]


async def begin_session(
    database: Database, stripe: Stripe, checkout: Checkout, *, public_url: str
) -> SessionFacts | None:
    """Make the checkout's session, or find the one that an earlier call made and whose answer was lost.

    None if Stripe refuses: then there never was one, and the attempt has failed.
    """
    try:
        return await stripe.create_session(
            key=f"checkout:{checkout.subject}:{checkout.attempt}",
            description=checkout.description,
            amount_cents=checkout.amount_cents,
            currency=checkout.currency,
            email=checkout.email,
            metadata=metadata_of(owed(checkout), checkout.attempt),
            expires_at=checkout.expires_at,
            success_url=f"{public_url}/payments/return/{checkout.id}?session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=f"{public_url}/payments/cancelled/{checkout.id}",
        )
    except PaymentRefused as refused:
        log.warning("payments.not_opened", checkout=str(checkout.id), code=refused.code, reason=str(refused))
        async with database.transaction() as session:
            await move_checkout(session, checkout.id, CheckoutState.FAILED, problem=str(refused))
        return None


async def close_checkout(database: Database, stripe: Stripe, checkout: Checkout, *, public_url: str) -> None:
    """Make sure that nobody can pay on this attempt any more. Raises `Conflict` if somebody already has."""
    session_id = checkout.session_id
    if session_id is None:
        # It may exist all the same: the answer that named it can have been lost.
        begun = await begin_session(database, stripe, checkout, public_url=public_url)
        if begun is None:
            return
        session_id = begun.id
    try:
        facts = await stripe.expire_session(session_id)
    except PaymentRefused:
        facts = await stripe.fetch_session(session_id)
    async with database.transaction() as session:
        closed = await fulfil(session, facts)
    if closed.state not in {CheckoutState.EXPIRED, CheckoutState.FAILED}:
        _refuse_if_over(closed)
