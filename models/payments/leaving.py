"""What payments say when somebody wants to leave, and what they forget of them: the amounts stay, the person goes."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, exists, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets, keeps, nobody
from models.accounts.tables import Person
from models.payments.invoices import keep_billed_to
from models.payments.retention import forget_payers
from models.payments.states import CheckoutState, RefundState
from models.payments.tables import BillingDetails, Checkout, Dispute, Refund, StripeEvent

_UNDECIDED: Final = (CheckoutState.NEW, CheckoutState.OPEN, CheckoutState.PENDING)
_OWED: Final = (RefundState.ASKED, RefundState.PENDING, RefundState.FAILED)


@keeps
async def unsettled(session: AsyncSession, person: Person) -> str | None:
    """Money that is on its way in one direction or the other."""
    mine = Checkout.person_id == person.id
    if await session.scalar(select(exists().where(mine, Checkout.state.in_(_UNDECIDED)))):
        return "A payment of yours is open. Finish it or cancel it; one that is left alone ends within a day."
    if await session.scalar(
        select(exists().where(mine, Checkout.id == Refund.checkout_id, Refund.state.in_(_OWED)))
    ):
        return "Money is on its way back to you. Wait until it has arrived."
    is_disputed = exists().where(mine, Checkout.id == Dispute.checkout_id, Dispute.closed_at.is_(None))
    if await session.scalar(select(is_disputed)):
        return "A payment of yours is disputed. Wait until your bank has decided."
    return None


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """The address leaves the payments, and with it what Stripe wrote about the payer: in what is told later, within
    `retention.KEPT`. Invoices keep whom they were made out to, for as long as tax law wants them.
    """
    mine = Checkout.person_id == person.id
    await forget_payers(session, await _told_of(session, person))
    forgotten = {"email": nobody(person), "session_url": None, "receipt_url": None}
    await session.execute(update(Checkout).where(mine).values(forgotten))
    await keep_billed_to(session, person.id, nobody(person))
    await session.execute(delete(BillingDetails).where(BillingDetails.person_id == person.id))


async def _told_of(session: AsyncSession, person: Person) -> Sequence[str]:
    """The events about this person's payments, refunds and disputes."""
    mine = Checkout.person_id == person.id
    first = await session.scalar(select(func.min(Checkout.created_at)).where(mine))
    if first is None:
        return []
    objects = union_all(
        *(
            select(name).where(mine)
            for name in (Checkout.session_id, Checkout.payment_intent_id, Checkout.charge_id)
        ),
        *(select(one.stripe_id).where(mine, one.checkout_id == Checkout.id) for one in (Refund, Dispute)),
    )
    told = (StripeEvent.received_at >= first, StripeEvent.object_id.in_(objects))
    return (await session.scalars(select(StripeEvent.id).where(*told))).all()
