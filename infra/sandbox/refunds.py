"""Money back: by the API, by hand as in the Dashboard, and what the bank makes of it later.

Rules: https://docs.stripe.com/refunds
"""

from typing import Any

from infra.sandbox import objects
from infra.sandbox.cards import money
from infra.sandbox.errors import invalid, missing, refused
from infra.sandbox.ledger import Object, Transaction


async def create(tx: Transaction, params: dict[str, Any]) -> Object:
    """Refund a charge, named itself or by its payment intent: all that is left, or `amount` (cents)."""
    charge = await _charge(tx, params)
    await _check_refundable(tx, charge)
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if amount > left:
        currency = charge["currency"]
        raise refused(
            f"Refund amount ({money(amount, currency)}) is greater than unrefunded amount on charge "
            f"({money(left, currency)})",
            param="amount",
        )
    refund = objects.refund(
        charge,
        amount=amount,
        status=tx.trouble.take_refund_status(),
        reason=params.get("reason"),
        metadata=params.get("metadata", {}),
        now=tx.unix,
    )
    await tx.add(refund, root=await tx.root_of(charge["id"]))
    await tx.tell("refund.created", refund)
    if refund["status"] == "failed":
        await tx.tell("refund.failed", refund)
        return refund
    refunded = charge["amount_refunded"] + amount
    previous = await tx.change(charge, amount_refunded=refunded, refunded=refunded == charge["amount"])
    await tx.tell("charge.refunded", charge, previous=previous)
    return refund


async def conclude(tx: Transaction, refund_id: str, *, is_successful: bool) -> Object:
    """The bank's later word. A pending refund succeeds or fails; a succeeded one may still fail."""
    refund = await tx.hold(refund_id, "refund", "refund")
    if refund["status"] != "pending" and (is_successful or refund["status"] != "succeeded"):
        raise refused(f"This refund is {refund['status']}.")
    refund.pop("pending_reason", None)
    if is_successful:
        previous = await tx.change(refund, status="succeeded")
        await tx.tell("refund.updated", refund, previous=previous)
        return refund
    previous = await tx.change(refund, status="failed", failure_reason="expired_or_canceled_card")
    charge = await tx.get(refund["charge"])
    returned = await tx.change(
        charge, amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False
    )
    await tx.tell("refund.updated", refund, previous=previous)
    await tx.tell("refund.failed", refund, previous=previous)
    await tx.tell("charge.updated", charge, previous=returned)
    return refund


async def _charge(tx: Transaction, params: dict[str, Any]) -> Object:
    if "charge" in params:
        charge = await tx.hold(params["charge"], "charge", "charge", param="charge")
        if params.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise invalid("The charge does not belong to this payment_intent.", param="payment_intent")
        return charge
    if "payment_intent" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent_id = params["payment_intent"]
    intent = await tx.hold(intent_id, "payment_intent", "payment_intent", param="payment_intent")
    if intent["status"] != "succeeded":
        raise refused(f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.")
    return await tx.get(intent["latest_charge"])


async def _check_refundable(tx: Transaction, charge: Object) -> None:
    if charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} is {charge['status']} and cannot be refunded.")
    is_charged_back = await tx.connection.fetchval(
        "SELECT EXISTS (SELECT FROM object WHERE kind = 'dispute' AND root = $1 AND body ->> 'status' <> 'won')",
        await tx.root_of(charge["id"]),
    )
    if is_charged_back:
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")


async def create_by_hand(
    tx: Transaction, charge_id: str, *, amount: int | None, reason: str | None
) -> Object:
    """A refund as made in Stripe's Dashboard: no API call of the product, only its events."""
    if await tx.find(charge_id, "charge") is None:
        raise missing("charge", charge_id)
    given = {"charge": charge_id, "amount": amount, "reason": reason}
    return await create(tx, {name: value for name, value in given.items() if value is not None})
