"""Runs what payments ask for. Each runner opens a line to Stripe and lets the model decide."""

from models.base.clock import now
from models.payments.comparison import compare_payments
from models.payments.giving import give_refund
from models.payments.inbox import handle_event
from models.payments.jobs import (
    ComparePayments,
    FetchMissedEvents,
    ForgetPayers,
    GiveRefund,
    HandleStripeEvent,
    ReconcileCheckouts,
)
from models.payments.reconciliation import fetch_missed_events, reconcile_checkouts
from models.payments.retention import forget_old_payers
from models.payments.stripe import Stripe
from tasks.runs import Result, Snooze, Work, runs

# No transaction of the attempt is needed: every move below is a compare-and-set, and every call to Stripe has an
# idempotency key, so a second worker on the same job does no harm.


@runs(HandleStripeEvent)
async def handle_stripe_event(job: HandleStripeEvent, work: Work) -> Result:
    """Do what follows from an event; what it speaks of may not be known yet."""
    async with Stripe(work.world.settings.stripe) as stripe:
        pause = await handle_event(work.world.database, stripe, job.event_id)
    if pause is not None:
        raise Snooze(pause)
    return None


@runs(GiveRefund)
async def run_give_refund(job: GiveRefund, work: Work) -> Result:
    """Give one refund; a disputed payment has to wait for its dispute."""
    async with Stripe(work.world.settings.stripe) as stripe:
        pause = await give_refund(work.world.database, stripe, job.refund_id)
    if pause is not None:
        raise Snooze(pause)
    return None


@runs(ReconcileCheckouts)
async def run_reconcile_checkouts(_job: ReconcileCheckouts, work: Work) -> Result:
    """Look up what nothing was heard of."""
    public_url = work.world.settings.app.public_url
    async with Stripe(work.world.settings.stripe) as stripe:
        return dict(await reconcile_checkouts(work.world.database, stripe, now(), public_url=public_url))


@runs(FetchMissedEvents)
async def run_fetch_missed_events(_job: FetchMissedEvents, work: Work) -> Result:
    """Fetch what could not be delivered."""
    settings = work.world.settings.stripe
    async with Stripe(settings) as stripe:
        count = await fetch_missed_events(work.world.database, stripe, now(), is_live=settings.is_live)
    return {"missed": count}


@runs(ComparePayments)
async def run_compare_payments(_job: ComparePayments, work: Work) -> Result:
    """Compare the books; what differs is in the result and on the admin's first page."""
    async with Stripe(work.world.settings.stripe) as stripe:
        found = await compare_payments(work.world.database, stripe, now())
    return {"differences": [one.words for one in found]}


@runs(ForgetPayers)
async def run_forget_payers(_job: ForgetPayers, work: Work) -> None:
    """Take them out of the old events."""
    await work.forget(forget_old_payers)
