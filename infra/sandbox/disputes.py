"""Chargebacks: opened by the test card or by hand, answered, won or lost.

Life of a dispute: https://docs.stripe.com/disputes/how-disputes-work
"""

from infra.sandbox import objects
from infra.sandbox.errors import refused
from infra.sandbox.ledger import Object, Transaction

REASONS = (
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "unrecognized",
)


async def open_dispute(tx: Transaction, charge_id: str, *, reason: str) -> Object:
    charge = await tx.hold(charge_id, "charge", "charge")
    if charge["status"] != "succeeded" or charge["disputed"] or charge["refunded"]:
        raise refused("Only a successful charge that is neither disputed nor refunded can be disputed.")
    dispute = await tx.add(
        objects.dispute(charge, reason=reason, now=tx.unix), root=await tx.root_of(charge_id)
    )
    previous = await tx.change(charge, disputed=True)
    await tx.unplan("dispute", charge_id)
    await tx.tell("charge.updated", charge, previous=previous)
    await tx.tell("charge.dispute.created", dispute)
    await tx.tell("charge.dispute.funds_withdrawn", dispute)
    return dispute


async def move(tx: Transaction, dispute_id: str, *, to: str) -> Object:
    """`under_review` (evidence sent), `won` or `lost`. Closed disputes stay closed."""
    dispute = await tx.hold(dispute_id, "dispute", "dispute")
    if dispute["status"] in {"won", "lost"}:
        raise refused(f"This dispute is already {dispute['status']}.")
    if to == "under_review":
        details = dispute["evidence_details"] | {"has_evidence": True, "submission_count": 1}
        previous = await tx.change(dispute, status=to, evidence_details=details)
        await tx.tell("charge.dispute.updated", dispute, previous=previous)
        return dispute
    previous = await tx.change(dispute, status=to, is_charge_refundable=to == "won")
    await tx.tell("charge.dispute.updated", dispute, previous=previous)
    if to == "won":
        await tx.tell("charge.dispute.funds_reinstated", dispute)
    await tx.tell("charge.dispute.closed", dispute)
    return dispute
