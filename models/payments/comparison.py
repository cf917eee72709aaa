"""Once a day: what Stripe's books and ours say about the last two days, side by side."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Select, case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import Database, new_id
from models.payments.facts import RefundFacts, SessionFacts
from models.payments.fulfilment import fulfil
from models.payments.inbox import look_up_refunds
from models.payments.moves import NotOurs, Unknown
from models.payments.rules import COMPARED_FOR
from models.payments.states import CheckoutState, RefundState
from models.payments.stripe import NoSuchObject, Stripe
from models.payments.tables import Checkout, Difference, Refund

log = structlog.get_logger(__name__)

_CAPTURED: Final = (CheckoutState.PAID, CheckoutState.MISMATCH)

UNKNOWN_PAYMENT: Final = "unknown payment"
NOT_FULFILLED: Final = "not fulfilled"
NOT_PAID: Final = "not paid at Stripe"
UNKNOWN_REFUND: Final = "unknown refund"
NOT_REFUNDED: Final = "not refunded at Stripe"


class Differs(NamedTuple):
    """One difference between Stripe's books and ours."""

    stripe_id: str
    what: str
    checkout_id: UUID | None
    words: str


async def compare_payments(database: Database, stripe: Stripe, at: datetime) -> list[Differs]:
    """Compare what was paid and refunded in the last two days, and bring up to date what can be.

    What differs is kept in `payments_differences`. What an earlier run kept is looked at again, however long ago
    that was: only what is seen to agree is gone.
    """
    since = at - COMPARED_FOR
    sessions = {one.id: one async for one in stripe.list_complete_sessions(since - timedelta(hours=1))}
    refunds = await stripe.list_refunds(since=since)
    found = [differs for one in sessions.values() if (differs := await _compare_session(database, one))]
    found += await _compare_checkouts(database, stripe, since, sessions)
    found += await _compare_refunds(database, stripe, since, refunds)
    await _keep(database, stripe, found, at)
    if found:
        log.error("payments.books_differ", differences=[one.words for one in found])
    return found


async def _compare_session(database: Database, facts: SessionFacts) -> Differs | None:
    try:
        async with database.transaction() as session:
            basket = await fulfil(session, facts)
    except NotOurs:
        return None
    except Unknown as unknown:
        return Differs(facts.id, UNKNOWN_PAYMENT, None, str(unknown))
    unpaid = next((one for one in basket if one.state not in _CAPTURED), None)
    if facts.payment_status == "paid" and unpaid is not None:
        words = f"{facts.id} is paid at Stripe, and {unpaid.state.value} here."
        return Differs(facts.id, NOT_FULFILLED, unpaid.id, words)
    return None


async def _compare_checkouts(
    database: Database, stripe: Stripe, since: datetime, sessions: dict[str, SessionFacts]
) -> list[Differs]:
    async with database.transaction() as session:
        paid = (Checkout.paid_at >= since, Checkout.state.in_(_CAPTURED))
        ours = {str(one.session_id): one for one in await session.scalars(select(Checkout).where(*paid))}
    found = []
    for name, one in ours.items():
        facts = sessions.get(name) or await _fetch(stripe, name)
        if facts is None or facts.payment_status != "paid":
            words = f"{name} is paid here, and {facts.payment_status if facts else 'unknown'} at Stripe."
            found.append(Differs(name, NOT_PAID, one.id, words))
    return found


async def _fetch(stripe: Stripe, session_id: str) -> SessionFacts | None:
    try:
        return await stripe.fetch_session(session_id)
    except NoSuchObject:
        return None


async def _compare_refunds(
    database: Database, stripe: Stripe, since: datetime, refunds: list[RefundFacts]
) -> list[Differs]:
    intents = {one.intent_id for one in refunds if one.intent_id}
    found = [differs for one in intents if (differs := await _compare_refund(database, stripe, one))]
    async with database.transaction() as session:
        given = (
            Refund.created_at >= since,
            Refund.state == RefundState.SUCCEEDED,
            Refund.stripe_id.is_not(None),
        )
        ours = {str(one.stripe_id): one for one in await session.scalars(select(Refund).where(*given))}
    known = {one.id for one in refunds}
    for name, one in ours.items():
        if name not in known and not await _exists(stripe, name):
            words = f"{name} was refunded here, and is unknown at Stripe."
            found.append(Differs(name, NOT_REFUNDED, one.checkout_id, words))
    return found


async def _compare_refund(database: Database, stripe: Stripe, intent_id: str) -> Differs | None:
    try:
        await look_up_refunds(database, stripe, intent_id)
    except NotOurs:
        return None
    except Unknown as unknown:
        return Differs(intent_id, UNKNOWN_REFUND, None, str(unknown))
    return None


async def _exists(stripe: Stripe, refund_id: str) -> bool:
    try:
        await stripe.fetch_refund(refund_id)
    except NoSuchObject:
        return False
    return True


# ---------------------------------------------------------------- what is kept
async def _keep(database: Database, stripe: Stripe, found: Iterable[Differs], at: datetime) -> None:
    async with database.transaction() as session:
        for one in found:
            await _write_down(session, one, at)
        earlier = (Difference.gone_at.is_(None), Difference.seen_at < at)
        doubtful = (await session.scalars(select(Difference).where(*earlier))).all()
    gone = [one.id for one in doubtful if not await _still_differs(database, stripe, one)]
    async with database.transaction() as session:
        await session.execute(update(Difference).where(Difference.id.in_(gone)).values(gone_at=at))


async def _write_down(session: AsyncSession, one: Differs, at: datetime) -> None:
    """A difference that somebody has understood stays so, unless it has become another one."""
    written = insert(Difference).values({"id": new_id(), "found_at": at, "seen_at": at} | one._asdict())
    is_same = (Difference.words == one.words) & Difference.gone_at.is_(None)
    news = {
        "seen_at": at,
        "words": one.words,
        "gone_at": None,
        "understood_at": case((is_same, Difference.understood_at)),
        "understood_by": case((is_same, Difference.understood_by)),
        "reason": case((is_same, Difference.reason)),
    }
    await session.execute(written.on_conflict_do_update(index_elements=["stripe_id", "what"], set_=news))


async def _still_differs(database: Database, stripe: Stripe, one: Difference) -> bool:
    """Whether a difference that this run did not come across, perhaps because it is too old by now, is still there."""
    if one.what == UNKNOWN_REFUND:
        return bool(await _compare_refund(database, stripe, one.stripe_id))
    if one.what == NOT_REFUNDED:
        ours = select(Refund.id).where(
            Refund.stripe_id == one.stripe_id, Refund.state == RefundState.SUCCEEDED
        )
        return await _is_any(database, ours) and not await _exists(stripe, one.stripe_id)
    facts = await _fetch(stripe, one.stripe_id)
    if one.what == NOT_PAID:
        paid = select(Checkout.id).where(Checkout.session_id == one.stripe_id, Checkout.state.in_(_CAPTURED))
        return await _is_any(database, paid) and (facts is None or facts.payment_status != "paid")
    return facts is not None and await _compare_session(database, facts) is not None


async def _is_any(database: Database, rows: Select[Any]) -> bool:
    async with database.transaction() as session:
        return bool(await session.scalar(select(rows.exists())))
