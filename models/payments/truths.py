"""The money truth, as far as payments can tell it: each query must return nothing.

Every captured payment is, at any moment, in exactly one of: delivered, in progress with a live job, waiting for a
named person, refunded or being refunded. What is delivered, the slice knows; that the slice was told, we know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that should not be there: what is wrong, with which object, since when."""

    truth: str
    about: str
    since: Any


#: Each returns (about, since). Finished jobs are kept for a day at least, so what they prove is asked of that day only.
TRUTHS: Final[Mapping[str, str]] = {
    "paid, but nobody was told": """
        select 'checkout/' || c.id, c.paid_at from payments_checkouts c
         where c.state = 'paid' and c.paid_at between now() - interval '20 hours' and now() - interval '2 minutes'
           and not exists (select from jobs j where j.subject = c.subject
                              and j.unique_key = 'checkout/' || c.id || '/paid')
    """,
    "paid, but the job that follows is dead": """
        select 'job/' || j.id, j.finished_at from payments_checkouts c
          join jobs j on j.subject = c.subject and j.unique_key = 'checkout/' || c.id || '/paid'
         where c.state = 'paid' and c.payment_state = 'paid' and j.state in ('dead', 'cancelled')
    """,
    "something else was paid than was owed, and has not gone back": """
        select 'checkout/' || id, paid_at from payments_checkouts
         where state = 'mismatch' and payment_state not in ('refunded', 'dispute_lost')
           and paid_at < now() - interval '1 hour'
    """,
    "one part of a payment is paid, and another is not": """
        select 'checkout/' || c.id, c.created_at from payments_checkouts c
         where c.basket_id is not null and c.state not in ('paid', 'mismatch')
           and exists (select from payments_checkouts o where o.basket_id = c.basket_id
                          and o.state in ('paid', 'mismatch'))
    """,
    "two attempts were paid for one subject, and neither went back": """
        select subject, max(paid_at) from payments_checkouts
         where state = 'paid' and payment_state not in ('refunded', 'refund_pending', 'dispute_lost')
           and paid_at < now() - interval '10 minutes'
         group by subject having count(*) > 1
    """,
    "a refund was asked for an hour ago and not given": """
        select 'refund/' || r.id, r.created_at from payments_refunds r
          join payments_checkouts c on c.id = r.checkout_id
         where r.state = 'asked' and r.created_at < now() - interval '1 hour'
           and c.payment_state is distinct from 'disputed'
    """,
    "a refund failed and nothing has replaced it": """
        select 'refund/' || r.id, r.settled_at from payments_refunds r
          join payments_checkouts c on c.id = r.checkout_id
         where r.state = 'failed' and c.refunded_cents < c.captured_cents
           and c.payment_state in ('paid', 'partially_refunded', 'dispute_won')
    """,
    "a refund has been on its way for two weeks": """
        select 'refund/' || id, created_at from payments_refunds
         where state = 'pending' and created_at < now() - interval '14 days'
    """,
    "a payment says that a refund is on its way, and there is none": """
        select 'checkout/' || c.id, c.paid_at from payments_checkouts c
         where c.payment_state = 'refund_pending'
           and not exists (select from payments_refunds r where r.checkout_id = c.id and r.state in ('asked', 'pending'))
    """,
    "an event has waited for an hour, or was given up": """
        select 'stripe_event/' || id, received_at from payments_stripe_events
         where state = 'stranded' or (state = 'received' and received_at < now() - interval '1 hour')
    """,
    "an event came from an endpoint that is set up for something else": """
        select 'stripe_event/' || id, received_at from payments_stripe_events
         where received_at > now() - interval '1 day' and state = 'ignored' and problem is not null
    """,
    "an attempt has been open for longer than its session lives": """
        select 'checkout/' || id, created_at from payments_checkouts
         where state in ('new', 'open') and expires_at < now() - interval '1 hour'
    """,
    "a dispute is open, and the payment does not say so": """
        select 'dispute/' || d.stripe_id, d.opened_at from payments_disputes d
          join payments_checkouts c on c.id = d.checkout_id
         where d.closed_at is null and c.payment_state <> 'disputed'
    """,
    "Stripe's books differ from ours": """
        select stripe_id || ': ' || words, found_at from payments_differences
         where gone_at is null and understood_at is null
    """,
}


async def broken_truths(session: AsyncSession) -> Sequence[Broken]:
    """Everything that is not as it must be. Empty, or somebody has to look."""
    found: list[Broken] = []
    for truth, query in TRUTHS.items():
        rows = (await session.execute(text(query))).all()
        found += [Broken(truth, about, since) for about, since in rows]
    return found
