"""Forgetting what Stripe told of the people who pay: names, addresses, parts of cards.

Nothing is decided by the text of an event, whose object is always fetched afresh; it is kept to see what was said.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.payments.tables import StripeEvent

#: As long as Stripe itself can show an event again (https://docs.stripe.com/api/events).
KEPT: Final = timedelta(days=30)

#: What stays of an event's object: which one it is, about how much, and how it stands. Only plain values do.
_PLAIN: Final = (
    *("id", "object", "created", "payment_intent", "charge", "currency"),
    *("amount", "amount_captured", "amount_received", "amount_refunded", "amount_total"),
    *("status", "payment_status", "reason", "failure_reason"),
)
_FORGET: Final = text(
    """
    update payments_stripe_events
       set payload = (select coalesce(jsonb_object_agg(key, value), '{}')
                        from jsonb_each(case jsonb_typeof(payload #> '{data,object}')
                                        when 'object' then payload #> '{data,object}' else '{}' end)
                       where key = any(:plain) and jsonb_typeof(value) not in ('object', 'array'))
     where id = any(:events) and payload ? 'data'
    """
)


async def forget_payers(session: AsyncSession, events: Sequence[str]) -> None:
    """Leave of what Stripe wrote in these events what is in `_PLAIN`."""
    await session.execute(_FORGET, {"events": list(events), "plain": list(_PLAIN)})


async def forget_old_payers(session: AsyncSession, at: datetime, limit: int = 5000) -> int:
    """Do so with events that came longer ago than `KEPT`. Returns how many there were: at most `limit` at once."""
    old = (StripeEvent.received_at < at - KEPT, text("payload ? 'data'"))
    query = select(StripeEvent.id).where(*old).order_by(StripeEvent.received_at).limit(limit)
    events = (await session.scalars(query.with_for_update(skip_locked=True))).all()
    await forget_payers(session, events)
    return len(events)
