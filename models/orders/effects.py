"""The calls to language models that a job has made, and the charge that it works for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow
from models.orders.jobs import (
    CreateOrder,
    FollowPayment,
    IntegrateBacklink,
    RepairLink,
    WriteArticle,
    WriteCommission,
)
from models.payments.tables import Checkout
from models.usage.rules import CallState
from models.usage.tables import ModelCallRow

#: A call that failed has cost something if its answer was no good. Providers take no key, so one that broke off leaves
#: a question.
_KNOWN: Final[Mapping[CallState, Known]] = {
    CallState.STARTED: Known.UNSURE,
    CallState.UNKNOWN: Known.UNSURE,
    CallState.OK: Known.ONCE,
    CallState.FAILED: Known.NEVER,
}
#: Calls that are told of, the latest.
_SHOWN: Final = 50


async def _calls(session: AsyncSession, job: JobRow) -> list[Effect]:
    """Its own. Calls that do not say whose they are were made by an earlier release: of those, what was asked for what
    the job is about while it was there, for one job at a time writes for it.
    """
    unsaid = [
        ModelCallRow.job_id.is_(None),
        ModelCallRow.subject == job.subject,
        ModelCallRow.started_at >= job.created_at,
    ]
    if job.finished_at is not None:
        unsaid.append(ModelCallRow.started_at <= job.finished_at)
    mine = or_(ModelCallRow.job_id == job.id, and_(*unsaid))
    query = select(ModelCallRow).where(mine).order_by(ModelCallRow.started_at.desc()).limit(_SHOWN)
    return [_effect_of(one, job.kind) for one in await session.scalars(query)]


def _effect_of(call: ModelCallRow, step: str) -> Effect:
    known = Known.ONCE if call.state is CallState.FAILED and call.cost_cents else _KNOWN[call.state]
    words = f"{call.state.value.capitalize()}, for {call.cost_cents or 0:.4f} US cents."
    if known is Known.UNSURE:
        words = f"No answer is known. At most {call.reserved_cents:.4f} US cents, which count as spent."
    return Effect(
        call.subject,
        call.once or step,
        f"{call.kind}, asked of {call.provider}:{call.model}",
        f"{call.subject}/{call.kind}/{call.attempt}",
        known,
        words,
        at=call.started_at,
        job_id=call.job_id,
    )


async def unsure(session: AsyncSession, before: datetime, most: int) -> list[Effect]:
    """Calls that broke off, or whose process died: they count as paid."""
    open_ends = (
        ModelCallRow.state.in_([CallState.STARTED, CallState.UNKNOWN]),
        ModelCallRow.started_at < before,
    )
    query = select(ModelCallRow).where(*open_ends).order_by(ModelCallRow.started_at.desc()).limit(most)
    return [_effect_of(one, one.kind) for one in await session.scalars(query)]


async def _charge(session: AsyncSession, job: JobRow) -> list[Effect]:
    """The money for which such a job works: it was taken before, by Stripe, once for each payment intent."""
    message = (CreateOrder if job.kind == CreateOrder.kind else FollowPayment).read(job.args)
    checkout = await session.get(Checkout, message.checkout_id) if message.checkout_id else None
    if checkout is None:
        return []
    taken = (
        f"{checkout.captured_cents / 100:,.2f} {(checkout.captured_currency or checkout.currency).upper()}"
    )
    known = Known.ONCE if checkout.captured_cents else Known.NOT_YET
    words = f"It is {checkout.state.value}; of that {checkout.refunded_cents / 100:,.2f} have gone back."
    key = checkout.payment_intent_id or checkout.session_id or str(checkout.id)
    return [Effect(checkout.subject, job.kind, f"charge of {taken}", key, known, words, at=checkout.paid_at)]


EFFECTS: Final[Mapping[str, Effects]] = dict.fromkeys(
    (one.kind for one in (IntegrateBacklink, RepairLink, WriteArticle, WriteCommission)), _calls
) | dict.fromkeys((CreateOrder.kind, FollowPayment.kind), _charge)
