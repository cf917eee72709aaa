"""What Stripe says, as plain values: the only shape in which its objects reach our rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: A JSON object of Stripe's.
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """Money that moved, or tried to."""

    id: str
    captured_cents: int
    receipt_url: str | None


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """A payment, over all its tries. `status` as https://docs.stripe.com/payments/paymentintents/lifecycle."""

    id: str
    status: str
    received_cents: int
    currency: str
    metadata: Mapping[str, str]
    charge: ChargeFacts | None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A Checkout Session with its payment. `intent` is None until the customer has tried to pay.

    `status` is open, complete or expired; `payment_status` is paid, unpaid or no_payment_required. A session
    that is complete but unpaid waits for a bank.
    """

    id: str
    url: str | None
    status: str
    payment_status: str
    amount_cents: int
    currency: str
    is_live: bool
    metadata: Mapping[str, str]
    expires_at: datetime
    intent: IntentFacts | None


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """Money going back. `status` is pending, requires_action, succeeded, failed or canceled."""

    id: str
    intent_id: str | None
    charge_id: str | None
    amount_cents: int
    currency: str
    status: str
    failure_reason: str | None
    metadata: Mapping[str, str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A chargeback or an inquiry. `status` as https://docs.stripe.com/api/disputes/object#dispute_object-status."""

    id: str
    intent_id: str | None
    charge_id: str | None
    amount_cents: int
    currency: str
    status: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event as Stripe signed it: what happened (`type`), to which object, and how it was written down."""

    id: str
    type: str
    object_id: str | None
    api_version: str | None
    is_live: bool
    payload: Object
