"""The money that a job has given back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
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
    effect = _effect_of(refund, checkout.subject, job.kind)
    is_untried = job.attempt == 0 and refund.stripe_id is None
    return [replace(effect, known=Known.NOT_YET) if is_untried else effect]


def _effect_of(refund: Refund, owner: str, step: str) -> Effect:
    what = f"refund of {refund.amount_cents / 100:,.2f} {refund.currency.upper()}, {refund.kind}"
    words = f"It is {refund.state.value} at Stripe, as {refund.stripe_id or 'nothing yet'}."
    return Effect(
        owner,
        step,
        what,
        f"{refund.id}/{refund.attempt}",
        _KNOWN[refund.state],
        words,
        at=refund.created_at,
    )


async def unsure(session: AsyncSession, before: datetime, most: int) -> list[Effect]:
    """Refunds that were asked for, and of which Stripe has said nothing."""
    query = select(Refund, Checkout.subject).join(Checkout, Checkout.id == Refund.checkout_id)
    asked = (Refund.state == RefundState.ASKED, Refund.created_at < before)
    rows = await session.execute(query.where(*asked).order_by(Refund.created_at.desc()).limit(most))
    return [_effect_of(refund, subject, GiveRefund.kind) for refund, subject in rows]


EFFECTS: Final[Mapping[str, Effects]] = {GiveRefund.kind: _refund}
