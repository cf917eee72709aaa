"""What webhooks can miss: attempts that fell silent, and events that never came."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import Database
from models.base.errors import Conflict
from models.jobs import enqueue
from models.payments.checkouts import begin_session, close_checkout
from models.payments.inbox import HANDLED, ask_for, look_up, stale_events, write_down_event
from models.payments.jobs import GiveRefund
from models.payments.moves import NotOurs, Unknown, hold_basket, move_checkout, paid_with
from models.payments.refunds import refund_key
from models.payments.rules import MISSED_FOR, PATIENCE
from models.payments.states import CheckoutState, RefundState
from models.payments.stripe import NoSuchObject, PaymentRefused, Stripe
from models.payments.tables import Checkout, Refund

log = structlog.get_logger(__name__)

_WAITING: Final = (CheckoutState.NEW, CheckoutState.OPEN, CheckoutState.PENDING)
_AT_ONCE: Final = 200


# ---------------------------------------------------------------- every five minutes
async def reconcile_checkouts(
    database: Database, stripe: Stripe, at: datetime, *, public_url: str
) -> dict[str, int]:
    """Look up every payment page that nothing was heard of, and ask again for work that was given up.

    Returns how many were looked up, how many of them moved, and how many jobs were asked for again.
    """
    async with database.transaction() as session:
        silent = (Checkout.state.in_(_WAITING), Checkout.created_at < at - PATIENCE)
        query = select(Checkout).where(*silent).order_by(Checkout.created_at).limit(_AT_ONCE)
        # Those of a basket have one page, and one look at it moves them all.
        found = {one.basket_id or one.id: one for one in await session.scalars(query)}.values()
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
        basket = await look_up(database, stripe, checkout.session_id)
        state = next(one.state for one in basket if one.id == checkout.id)
        if state is CheckoutState.OPEN and await _is_paid_otherwise(database, basket):
            await close_checkout(database, stripe, checkout.id, public_url=public_url)
    except NoSuchObject as missing:
        if checkout.expires_at < at:
            async with database.transaction() as session:
                for one in await hold_basket(session, checkout.id):
                    await move_checkout(session, one.id, CheckoutState.EXPIRED, problem=str(missing))
            return CheckoutState.EXPIRED
        return checkout.state
    except (Conflict, PaymentRefused, Unknown, NotOurs):
        log.exception("payments.not_reconciled", checkout=str(checkout.id))
        return checkout.state
    return state


async def _begun(database: Database, stripe: Stripe, checkout: Checkout, public_url: str) -> CheckoutState:
    """What became of an attempt whose session we never heard of: it exists, or it never did."""
    async with database.transaction() as session:
        basket = (await session.scalars(paid_with(checkout.id))).all()
    facts = await begin_session(database, stripe, basket, public_url=public_url)
    if facts is None:
        return CheckoutState.FAILED
    await look_up(database, stripe, facts.id)
    return CheckoutState.OPEN


async def _is_paid_otherwise(database: Database, basket: Sequence[Checkout]) -> bool:
    subjects = [one.subject for one in basket]
    async with database.transaction() as session:
        paid = (Checkout.subject.in_(subjects), Checkout.state == CheckoutState.PAID)
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
