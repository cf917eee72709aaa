"""What webhooks can miss: attempts that fell silent, events that never came, and books that differ."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import Database, new_id
from models.base.errors import Conflict
from models.jobs import enqueue
from models.payments.checkouts import begin_session, close_checkout
from models.payments.facts import RefundFacts, SessionFacts
from models.payments.fulfilment import fulfil
from models.payments.inbox import HANDLED, ask_for, look_up, look_up_refunds, stale_events, write_down_event
from models.payments.jobs import GiveRefund
from models.payments.moves import NotOurs, Unknown, move_checkout
from models.payments.refunds import refund_key
from models.payments.rules import COMPARED_FOR, MISSED_FOR, PATIENCE
from models.payments.states import CheckoutState, RefundState
from models.payments.stripe import NoSuchObject, PaymentRefused, Stripe
from models.payments.tables import Checkout, Difference, Refund

log = structlog.get_logger(__name__)

_WAITING: Final = (CheckoutState.NEW, CheckoutState.OPEN, CheckoutState.PENDING)
_CAPTURED: Final = (CheckoutState.PAID, CheckoutState.MISMATCH)
_AT_ONCE: Final = 200


# ---------------------------------------------------------------- every five minutes
async def reconcile_checkouts(
    database: Database, stripe: Stripe, at: datetime, *, public_url: str
) -> dict[str, int]:
    """Look up every attempt that nothing was heard of, and ask again for work that was given up.

    Returns how many were looked up, how many of them moved, and how many jobs were asked for again.
    """
    async with database.transaction() as session:
        silent = (Checkout.state.in_(_WAITING), Checkout.created_at < at - PATIENCE)
        query = select(Checkout).where(*silent).order_by(Checkout.created_at).limit(_AT_ONCE)
        found = (await session.scalars(query)).all()
    moved = [one for one in found if await _look(database, stripe, one, at, public_url) is not one.state]
    async with database.transaction() as session:
        asked = await _ask_again(session, at)
    if moved:
        log.warning("payments.reconciled", checkouts=[str(one.id) for one in moved])
    return {"looked_up": len(found), "moved": len(moved), "asked_again": asked}


async def _look(
    database: Database, stripe: Stripe, checkout: Checkout, at: datetime, public_url: str
) -> CheckoutState:
    """Bring one silent attempt up to date. What is wrong with one does not stop the others."""
    try:
        if checkout.session_id is None:
            return await _begun(database, stripe, checkout, public_url)
        state = (await look_up(database, stripe, checkout.session_id)).state
        if state is CheckoutState.OPEN and await _is_paid_otherwise(database, checkout):
            await close_checkout(database, stripe, checkout, public_url=public_url)
    except NoSuchObject as missing:
        if checkout.expires_at < at:
            async with database.transaction() as session:
                await move_checkout(session, checkout.id, CheckoutState.EXPIRED, problem=str(missing))
            return CheckoutState.EXPIRED
        return checkout.state
    except (Conflict, PaymentRefused, Unknown, NotOurs):
        log.exception("payments.not_reconciled", checkout=str(checkout.id))
        return checkout.state
    return state


async def _begun(database: Database, stripe: Stripe, checkout: Checkout, public_url: str) -> CheckoutState:
    """What became of an attempt whose session we never heard of: it exists, or it never did."""
    facts = await begin_session(database, stripe, checkout, public_url=public_url)
    if facts is None:
        return CheckoutState.FAILED
    await look_up(database, stripe, facts.id)
    return CheckoutState.OPEN


async def _is_paid_otherwise(database: Database, checkout: Checkout) -> bool:
    async with database.transaction() as session:
        paid = (Checkout.subject == checkout.subject, Checkout.state == CheckoutState.PAID)
        return bool(await session.scalar(select(exists().where(*paid))))


async def _ask_again(session: AsyncSession, at: datetime) -> int:
    asked = (Refund.state == RefundState.ASKED, Refund.created_at < at - timedelta(hours=1))
    refunds = (await session.scalars(select(Refund.id).where(*asked).limit(_AT_ONCE))).all()
    jobs = [await enqueue(session, GiveRefund(refund_id=one), unique=refund_key(one)) for one in refunds]
    events = await stale_events(session, at - timedelta(hours=1))
    jobs += [await ask_for(session, one) for one in events]
    return len([one for one in jobs if one is not None])


# ---------------------------------------------------------------- every hour
async def fetch_missed_events(database: Database, stripe: Stripe, at: datetime, *, is_live: bool) -> int:
    """Put the events that Stripe could not deliver into the inbox. Returns how many were new to us."""
    events = stripe.list_undelivered_events(at - MISSED_FOR, list(HANDLED))
    missed = [event async for event in events]
    async with database.transaction() as session:
        # Oldest first, as they would have come.
        new = [
            await write_down_event(session, event, is_live=is_live, any_version=True)
            for event in reversed(missed)
        ]
    if any(new):
        log.warning("payments.events_missed", count=sum(new))
    return sum(new)


# ---------------------------------------------------------------- every day
class Differs(NamedTuple):
    """One difference between Stripe's books and ours."""

    stripe_id: str
    what: str
    checkout_id: UUID | None
    words: str


async def compare_payments(database: Database, stripe: Stripe, at: datetime) -> list[Differs]:
    """Compare what was paid and refunded in the last two days, and bring up to date what can be.

    What still differs is kept in `payments_differences` until a later run does not find it any more.
    """
    since = at - COMPARED_FOR
    sessions = {one.id: one async for one in stripe.list_complete_sessions(since - timedelta(hours=1))}
    refunds = await stripe.list_refunds(since=since)
    found = [differs for one in sessions.values() if (differs := await _compare_session(database, one))]
    found += await _compare_checkouts(database, stripe, since, sessions)
    found += await _compare_refunds(database, stripe, since, refunds)
    async with database.transaction() as session:
        await _keep(session, found, at)
    if found:
        log.error("payments.books_differ", differences=[one.words for one in found])
    return found


async def _compare_session(database: Database, facts: SessionFacts) -> Differs | None:
    try:
        async with database.transaction() as session:
            checkout = await fulfil(session, facts)
    except NotOurs:
        return None
    except Unknown as unknown:
        return Differs(facts.id, "unknown payment", None, str(unknown))
    if facts.payment_status == "paid" and checkout.state not in _CAPTURED:
        words = f"{facts.id} is paid at Stripe, and {checkout.state.value} here."
        return Differs(facts.id, "not fulfilled", checkout.id, words)
    return None


async def _compare_checkouts(
    database: Database, stripe: Stripe, since: datetime, sessions: dict[str, SessionFacts]
) -> list[Differs]:
    async with database.transaction() as session:
        paid = (Checkout.paid_at >= since, Checkout.state.in_(_CAPTURED))
        ours = (await session.scalars(select(Checkout).where(*paid))).all()
    found = []
    for one in ours:
        name = str(one.session_id)
        facts = sessions.get(name) or await _fetch(stripe, name)
        if facts is None or facts.payment_status != "paid":
            words = f"{name} is paid here, and {facts.payment_status if facts else 'unknown'} at Stripe."
            found.append(Differs(name, "not paid at Stripe", one.id, words))
    return found


async def _fetch(stripe: Stripe, session_id: str) -> SessionFacts | None:
    try:
        return await stripe.fetch_session(session_id)
    except NoSuchObject:
        return None


async def _compare_refunds(
    database: Database, stripe: Stripe, since: datetime, refunds: list[RefundFacts]
) -> list[Differs]:
    found = []
    for intent_id in {one.intent_id for one in refunds if one.intent_id}:
        try:
            await look_up_refunds(database, stripe, intent_id)
        except NotOurs:
            continue
        except Unknown as unknown:
            found.append(Differs(intent_id, "unknown refund", None, str(unknown)))
    async with database.transaction() as session:
        given = (
            Refund.created_at >= since,
            Refund.state == RefundState.SUCCEEDED,
            Refund.stripe_id.is_not(None),
        )
        ours = (await session.scalars(select(Refund).where(*given))).all()
    known = {one.id for one in refunds}
    for one in ours:
        if one.stripe_id not in known and not await _exists(stripe, str(one.stripe_id)):
            words = f"{one.stripe_id} was refunded here, and is unknown at Stripe."
            found.append(Differs(str(one.stripe_id), "not refunded at Stripe", one.checkout_id, words))
    return found


async def _exists(stripe: Stripe, refund_id: str) -> bool:
    try:
        await stripe.fetch_refund(refund_id)
    except NoSuchObject:
        return False
    return True


async def _keep(session: AsyncSession, found: Iterable[Differs], at: datetime) -> None:
    for one in found:
        row = {"id": new_id(), "found_at": at, "seen_at": at} | one._asdict()
        written = insert(Difference).values(row)
        await session.execute(
            written.on_conflict_do_update(
                index_elements=["stripe_id", "what"], set_={"seen_at": at, "words": one.words}
            )
        )
    await session.execute(delete(Difference).where(Difference.seen_at < at))
