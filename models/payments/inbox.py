"""The inbox of events: written down before anything is done, then done from what Stripe says afresh."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import Database, Statement, fetch
from models.base.errors import NotFound
from models.base.states import sources
from models.jobs.enqueue import NewRow, Wish, enqueue_all
from models.payments.disputes import sync_dispute
from models.payments.facts import EventFacts
from models.payments.fulfilment import fulfil
from models.payments.jobs import HandleStripeEvent
from models.payments.moves import NotOurs, Unknown
from models.payments.refund_sync import find_refunded, sync_refunds
from models.payments.rules import checkout_in, pause_for_unknown
from models.payments.states import EVENT_MOVES, EventState
from models.payments.stripe import API_VERSION, NoSuchObject, Stripe
from models.payments.tables import Checkout, StripeEvent

log = structlog.get_logger(__name__)

#: Every event that something follows from: what the endpoint at Stripe subscribes to.
SESSIONS: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
)
# Both kinds: some refunds are only told of by their charge.
REFUNDS: Final = ("refund.created", "refund.updated", "refund.failed")
CHARGES: Final = ("charge.refunded",)
DISPUTES: Final = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
HANDLED: Final = SESSIONS + REFUNDS + CHARGES + DISPUTES

_WRITE_DOWN: Final = """
insert into payments_stripe_events (id, type, object_id, api_version, is_live, payload, state, problem)
values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (id) do nothing
returning id
"""


async def write_down_event(
    session: AsyncSession | Statement, event: EventFacts, *, is_live: bool, any_version: bool = False
) -> bool:
    """Write an event down and ask for it to be handled, once for each id. False if it was here already.

    It is one statement, for Stripe's page waits: `Database.statement` is enough for it.

    An event of the other live mode, or written in another version of the API than ours, is kept, told about,
    and not acted on: it comes from an endpoint that was set up for something else. `any_version` is for events
    that we asked for ourselves, whose text is as old as the account's default version.
    """
    state, problem = EventState.RECEIVED, None
    if event.type not in HANDLED:
        state = EventState.IGNORED
    elif event.is_live is not is_live:
        state, problem = EventState.IGNORED, f"live mode is {event.is_live} there and {is_live} here"
    elif event.api_version not in {API_VERSION, None} and not any_version:
        state, problem = EventState.IGNORED, f"API version {event.api_version} there and {API_VERSION} here"
    if event.object_id is None and state is EventState.RECEIVED:
        state, problem = EventState.IGNORED, "it names no object"
    payload = orjson.dumps(event.payload).decode()
    row = (event.id, event.type, event.object_id, event.api_version, event.is_live, payload, state, problem)
    if state is EventState.RECEIVED:
        return bool(await enqueue_all(session, [_handling(event.id)], if_new=NewRow(_WRITE_DOWN, row)))
    if not await fetch(session, _WRITE_DOWN, *row):
        return False
    if problem is not None:
        log.error("payments.event_ignored", stripe_event=event.id, type=event.type, problem=problem)
    return True


def _handling(event_id: str) -> Wish:
    return Wish(HandleStripeEvent(event_id=event_id), unique=f"stripe-event/{event_id}")


async def ask_for(session: AsyncSession, event_id: str) -> UUID | None:
    """Ask for an event to be handled, unless somebody already does."""
    return next(iter(await enqueue_all(session, [_handling(event_id)])), None)


async def handle_event(
    database: Database, stripe: Stripe, event_id: str, at: datetime | None = None
) -> timedelta | None:
    """Do what follows from an event. Returns how long to wait if it speaks of something that is not known yet.

    The event only says where to look: what is done is decided by the object as Stripe has it now.
    """
    at = at or now()
    async with database.transaction() as session:
        event = await session.get(StripeEvent, event_id)
    if event is None:
        raise NotFound("There is no such event.")
    if event.state not in {EventState.RECEIVED, EventState.STRANDED}:
        return None
    try:
        await _follow(database, stripe, event.type, str(event.object_id))
    except NotOurs as foreign:
        log.info("payments.event_not_ours", stripe_event=event_id, type=event.type, reason=str(foreign))
        await _settle(database, event_id, EventState.IGNORED, None, at)
        return None
    except (Unknown, NoSuchObject) as missing:
        pause = pause_for_unknown(at - event.received_at)
        if pause is None:
            log.exception("payments.event_stranded", stripe_event=event_id, type=event.type)
            await _settle(database, event_id, EventState.STRANDED, str(missing), at)
        return pause
    await _settle(database, event_id, EventState.PROCESSED, None, at)
    return None


async def _follow(database: Database, stripe: Stripe, event_type: str, object_id: str) -> None:
    if event_type in SESSIONS:
        await look_up(database, stripe, object_id)
    elif event_type in DISPUTES:
        dispute = await stripe.fetch_dispute(object_id)
        async with _about(stripe, dispute.intent_id), database.transaction() as session:
            await sync_dispute(session, dispute)
    elif event_type in REFUNDS:
        await look_up_refunds(database, stripe, (await stripe.fetch_refund(object_id)).intent_id)
    else:
        await look_up_refunds(database, stripe, await stripe.fetch_intent_of(object_id))


async def look_up(database: Database, stripe: Stripe, session_id: str) -> Sequence[Checkout]:
    """Fetch a Checkout Session and bring its checkouts to where it is. Raises `Unknown` or `NotOurs`."""
    facts = await stripe.fetch_session(session_id)
    async with database.transaction() as session:
        return await fulfil(session, facts)


async def look_up_refunds(database: Database, stripe: Stripe, intent_id: str | None) -> None:
    """Fetch the refunds of a payment and write them down. Raises `Unknown` or `NotOurs`."""
    if intent_id is None:
        raise NotOurs("It is not about a payment of Checkout.")
    if given := await stripe.list_refunds(intent_id=intent_id):
        async with _about(stripe, intent_id), database.transaction() as session:
            await sync_refunds(session, await find_refunded(session, given[0]), given)


@asynccontextmanager
async def _about(stripe: Stripe, intent_id: str | None) -> AsyncIterator[None]:
    """Tell apart a payment that we shall know in a moment from one that something else took on this account."""
    try:
        yield
    except Unknown:
        if intent_id is None or checkout_in((await stripe.fetch_intent(intent_id)).metadata) is None:
            raise NotOurs("The payment was not taken by this product.") from None
        raise


async def _settle(
    database: Database, event_id: str, there: EventState, problem: str | None, at: datetime
) -> None:
    here = StripeEvent.state.in_(sources(EVENT_MOVES, there))
    statement = update(StripeEvent).where(StripeEvent.id == event_id, here)
    async with database.transaction() as session:
        await session.execute(statement.values(state=there, problem=problem, processed_at=at))


async def stale_events(session: AsyncSession, before: datetime) -> list[str]:
    """Events that were received before then and are not handled yet, oldest first."""
    waiting = (StripeEvent.state == EventState.RECEIVED, StripeEvent.received_at < before)
    query = select(StripeEvent.id).where(*waiting).order_by(StripeEvent.received_at).limit(500)
    return list((await session.scalars(query)).all())
