"""The rules of taking and giving back money: pure, so that they can be read and tested without Stripe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Final
from uuid import UUID

from models.payments.facts import SessionFacts
from models.payments.states import CheckoutState, PaymentState, RefundState

#: How long a customer has to pay. Short, so that a frozen price does not drift; Stripe's least is 30 minutes.
SESSION_LIFE: Final = timedelta(minutes=35)
#: How much of that must be left for a session to be offered again.
LEAST_LEFT: Final = timedelta(minutes=5)
#: How soon after its row a session can be created: Stripe refuses one that would end in less than 30 minutes.
OPENABLE: Final = SESSION_LIFE - timedelta(minutes=31)
#: When the reconciler stops trusting that a webhook will come.
PATIENCE: Final = timedelta(minutes=10)
#: How long an event about something that we do not know is kept alive.
UNKNOWN_FOR: Final = timedelta(days=1)

#: How far back undelivered events are asked for: Stripe tries for three days and keeps them for thirty.
MISSED_FOR: Final = timedelta(days=7)
#: What the daily comparison looks at; two days, so that one missed run leaves no gap.
COMPARED_FOR: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Owed:
    """What a payment page was opened for: one checkout, or the first of a basket with the sum of them all."""

    checkout_id: UUID
    subject: str
    amount_cents: int
    currency: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that a checkout should be in, and what is wrong, if something is."""

    state: CheckoutState
    problem: str | None = None


def metadata_of(owed: Owed, attempt: int) -> dict[str, str]:
    """What we write on a session and on its payment, to know them again."""
    return {"checkout_id": str(owed.checkout_id), "subject": owed.subject, "attempt": str(attempt)}


def checkout_in(metadata: Mapping[str, str]) -> UUID | None:
    """The checkout that an object of Stripe's was made for; None if it was not made by this product."""
    try:
        return UUID(metadata.get("checkout_id", ""))
    except ValueError:
        return None


def verdict(owed: Owed, facts: SessionFacts) -> Verdict:
    """What a session means for its checkout. A completed session is not yet a paid one."""
    if facts.status == "open":
        return Verdict(CheckoutState.OPEN)
    if facts.status == "expired":
        return Verdict(CheckoutState.EXPIRED)
    if facts.payment_status == "unpaid":
        under_way = facts.intent is not None and facts.intent.status == "processing"
        return Verdict(CheckoutState.PENDING if under_way else CheckoutState.FAILED)
    problems = differences(owed, facts)
    if problems:
        return Verdict(CheckoutState.MISMATCH, "; ".join(problems))
    return Verdict(CheckoutState.PAID)


def differences(owed: Owed, facts: SessionFacts) -> list[str]:
    """In which points a paid session is not the one that we opened."""
    intent = facts.intent
    pairs = [
        ("amount", owed.amount_cents, facts.amount_cents),
        ("currency", owed.currency, facts.currency),
        ("live mode", owed.is_live, facts.is_live),
        ("checkout", str(owed.checkout_id), facts.metadata.get("checkout_id")),
        ("subject", owed.subject, facts.metadata.get("subject")),
        ("amount received", owed.amount_cents, intent.received_cents if intent else 0),
        ("currency received", owed.currency, intent.currency if intent else None),
        ("payment's checkout", str(owed.checkout_id), intent.metadata.get("checkout_id") if intent else None),
    ]
    return [f"{what}: {ours} here, {theirs} at Stripe" for what, ours, theirs in pairs if ours != theirs]


def refund_state(status: str) -> RefundState:
    """A refund's state from Stripe's status (https://docs.stripe.com/api/refunds/object#refund_object-status)."""
    if status == "succeeded":
        return RefundState.SUCCEEDED
    if status in {"failed", "canceled"}:
        return RefundState.FAILED
    return RefundState.PENDING


def payment_state(captured_cents: int, refunded_cents: int, *, is_refund_under_way: bool) -> PaymentState:
    """What became of the money of a payment that is not disputed."""
    if is_refund_under_way:
        return PaymentState.REFUND_PENDING
    if refunded_cents == 0:
        return PaymentState.PAID
    return PaymentState.REFUNDED if refunded_cents >= captured_cents else PaymentState.PARTIALLY_REFUNDED


def split(amount_cents: int, prices: Sequence[int]) -> list[int]:
    """Divide an amount in proportion to prices, in whole cents that add up to it."""
    edges = [amount_cents * below // sum(prices) for below in accumulate(prices, initial=0)]
    return [there - here for here, there in pairwise(edges)]


def share_out(amount_cents: int, left: Sequence[int]) -> list[int]:
    """Whose a refund is that names none of the checkouts of a basket, given what is `left` of each.

    It is the first one's of which exactly so much is left. Or else one after the other gets what it has left, until
    nothing is; what nobody has left is the last one's, where books that disagree are seen.
    """
    if amount_cents in left:
        return [amount_cents if index == left.index(amount_cents) else 0 for index in range(len(left))]
    before = accumulate(left[:-1], initial=0)
    shares = [min(one, max(0, amount_cents - gone)) for one, gone in zip(left, before, strict=True)]
    shares[-1] += amount_cents - sum(shares)
    return shares


def dispute_state(status: str) -> PaymentState:
    """What a dispute's status means for the payment. An appeal leaves the payment lost until it is won.

    An inquiry (`warning_…`) counts as a dispute while it is open: what its outcome will be is not known.
    """
    if status in {"won", "warning_closed", "prevented"}:
        return PaymentState.DISPUTE_WON
    if status == "lost" or status.startswith("appeal_"):
        return PaymentState.DISPUTE_LOST
    return PaymentState.DISPUTED


def pause_for_unknown(waited: timedelta) -> timedelta | None:
    """When to look again for something that an event speaks of and we do not know; None: no more."""
    steps = (
        (timedelta(seconds=10), timedelta(seconds=2)),
        (timedelta(minutes=1), timedelta(seconds=10)),
        (timedelta(minutes=10), timedelta(minutes=1)),
        (UNKNOWN_FOR, timedelta(minutes=10)),
    )
    return next((pause for limit, pause in steps if waited < limit), None)


def is_reusable(state: CheckoutState, created_at: datetime, expires_at: datetime, at: datetime) -> bool:
    """Whether an earlier attempt can be offered to the customer once more."""
    if state is CheckoutState.NEW:
        return at - created_at < OPENABLE
    return state is CheckoutState.OPEN and expires_at - at >= LEAST_LEFT
