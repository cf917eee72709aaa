"""The money that a job has given back."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow
from models.payments.jobs import GiveRefund
from models.payments.states import RefundState
from models.payments.tables import Checkout, Refund

#: Stripe gives back once for each idempotency key, and the row is settled by what Stripe says, never by us.
_KNOWN: Final[Mapping[RefundState, Known]] = {
    RefundState.ASKED: Known.UNSURE,
    RefundState.PENDING: Known.ONCE,
    RefundState.SUCCEEDED: Known.ONCE,
    RefundState.FAILED: Known.NEVER,
}


async def _refund(session: AsyncSession, job: JobRow) -> list[Effect]:
    refund = await session.get(Refund, GiveRefund.read(job.args).refund_id)
    if refund is None:
        return []
    checkout = await session.get_one(Checkout, refund.checkout_id)
    known = Known.NOT_YET if job.attempt == 0 and refund.stripe_id is None else _KNOWN[refund.state]
    what = f"refund of {refund.amount_cents / 100:,.2f} {refund.currency.upper()}, {refund.kind}"
    words = f"It is {refund.state.value} at Stripe, as {refund.stripe_id or 'nothing yet'}."
    return [Effect(checkout.subject, job.kind, what, f"{refund.id}/{refund.attempt}", known, words)]


EFFECTS: Final[Mapping[str, Effects]] = {GiveRefund.kind: _refund}
