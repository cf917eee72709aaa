"""From Stripe's objects, as JSON, to our facts. Every key that we depend on is named here."""

from datetime import UTC, datetime
from typing import Any

from models.payments.facts import (
    ChargeFacts,
    DisputeFacts,
    IntentFacts,
    Object,
    RefundFacts,
    SessionFacts,
)


def id_of(reference: Any) -> str | None:
    """The id of an object that may or may not have been expanded."""
    name: str | None = reference["id"] if isinstance(reference, dict) else reference
    return name


def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def session_facts(found: Object) -> SessionFacts:
    """A Checkout Session, its payment expanded."""
    intent = found["payment_intent"]
    return SessionFacts(
        id=found["id"],
        url=found["url"],
        status=found["status"] or "open",
        payment_status=found["payment_status"],
        amount_cents=found["amount_total"] or 0,
        currency=found["currency"] or "",
        is_live=found["livemode"],
        metadata=found["metadata"] or {},
        expires_at=_moment(found["expires_at"]),
        intent=intent_facts(intent) if intent else None,
    )


def intent_facts(found: Object) -> IntentFacts:
    """A payment, its latest charge expanded if it has one."""
    charge = found["latest_charge"]
    return IntentFacts(
        id=found["id"],
        status=found["status"],
        received_cents=found["amount_received"],
        currency=found["currency"],
        metadata=found["metadata"],
        charge=charge_facts(charge) if charge else None,
    )


def charge_facts(found: Object) -> ChargeFacts:
    """A charge."""
    return ChargeFacts(
        id=found["id"], captured_cents=found["amount_captured"], receipt_url=found["receipt_url"]
    )


def refund_facts(found: Object) -> RefundFacts:
    """A refund."""
    return RefundFacts(
        id=found["id"],
        intent_id=id_of(found["payment_intent"]),
        charge_id=id_of(found["charge"]),
        amount_cents=found["amount"],
        currency=found["currency"],
        status=found["status"] or "pending",
        failure_reason=found.get("failure_reason"),
        metadata=found["metadata"] or {},
        created_at=_moment(found["created"]),
    )


def dispute_facts(found: Object) -> DisputeFacts:
    """A dispute."""
    return DisputeFacts(
        id=found["id"],
        intent_id=id_of(found["payment_intent"]),
        charge_id=id_of(found["charge"]),
        amount_cents=found["amount"],
        currency=found["currency"],
        status=found["status"],
        reason=found["reason"],
        created_at=_moment(found["created"]),
    )
