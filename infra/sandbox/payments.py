"""What the customer does on the hosted page, and how a delayed payment ends.

Each function locks the payment first, so any number of clicks at once is one charge.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from infra.sandbox import checkout as sessions
from infra.sandbox import objects
from infra.sandbox.cards import BANK, Behaviour, Card, find
from infra.sandbox.errors import missing, refused
from infra.sandbox.ledger import Object, Transaction

DISPUTED_AFTER = timedelta(seconds=5)


class Result(StrEnum):
    COMPLETE = "complete"
    DECLINED = "declined"
    MUST_CONFIRM = "must_confirm"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Payer:
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one press of the button ended. `event_id` is the event that the redirect waits for."""

    result: Result
    checkout: Object
    message: str = ""
    event_id: str | None = None


async def attempt(
    tx: Transaction, session_id: str, card: Card, payer: Payer, *, settle_after: timedelta
) -> Attempt:
    """Pay. A finished session is answered as finished, whoever asks again."""
    checkout = await tx.hold(session_id, "checkout.session", "checkout session")
    ended = await _ended(tx, checkout)
    if ended is not None:
        return ended
    intent = await _intent(tx, checkout)
    match card.behaviour:
        case Behaviour.DECLINES:
            return await _decline(tx, checkout, intent, card, payer)
        case Behaviour.ASKS:
            await tx.hide(session_id, asked={"email": payer.email, "name": payer.name})
            previous = await tx.change(
                intent, status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            )
            await tx.tell("payment_intent.requires_action", intent, previous=previous)
            return Attempt(Result.MUST_CONFIRM, checkout)
        case Behaviour.SETTLES_LATER:
            return await _begin_debit(tx, checkout, intent, payer, settle_after)
        case Behaviour.PAYS | Behaviour.DISPUTES:
            return await _capture(tx, checkout, intent, card, payer)


async def confirm(tx: Transaction, session_id: str, *, is_confirmed: bool) -> Attempt:
    """The customer's answer on the 3-D Secure page."""
    checkout = await tx.hold(session_id, "checkout.session", "checkout session")
    ended = await _ended(tx, checkout)
    if ended is not None:
        return ended
    intent = await _intent(tx, checkout)
    if intent["status"] != "requires_action":
        return Attempt(Result.DECLINED, checkout, "Start the payment again.")
    card = find("4000002500003155")
    assert card is not None
    asked = (await tx.hidden(session_id))["asked"]
    if is_confirmed:
        return await _capture(tx, checkout, intent, card, Payer(**asked))
    message = (
        "We are unable to authenticate your payment method. Please choose a different one and try again."
    )
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "message": message,
    }
    previous = await tx.change(
        intent, status="requires_payment_method", next_action=None, last_payment_error=error
    )
    await tx.tell("payment_intent.payment_failed", intent, previous=previous)
    return Attempt(Result.DECLINED, checkout, message)


async def settle(tx: Transaction, session_id: str, *, is_successful: bool) -> Object:
    """The bank's word on a delayed payment; answers with the session. Refused when nothing is under way."""
    checkout = await tx.hold(session_id, "checkout.session", "checkout session")
    intent = await tx.get(checkout["payment_intent"]) if checkout["payment_intent"] else None
    if intent is None or intent["status"] != "processing":
        raise refused("This session has no delayed payment under way.")
    await tx.unplan("settle", session_id)
    charge = await tx.get(intent["latest_charge"])
    if is_successful:
        await tx.change(charge, status="succeeded", paid=True, amount_captured=charge["amount"])
        await tx.tell("charge.succeeded", charge)
        await _succeed(tx, checkout, intent, charge)
        await tx.tell("checkout.session.async_payment_succeeded", checkout)
        return checkout
    message = "The bank returned the debit."
    failed = {"status": "failed", "paid": False, "captured": False, "failure_message": message}
    await tx.change(charge, **failed, failure_code="payment_method_bank_account_blocked")
    await tx.tell("charge.failed", charge)
    error = {
        "type": "invalid_request_error",
        "code": charge["failure_code"],
        "charge": charge["id"],
        "message": message,
    }
    await tx.change(intent, status="requires_payment_method", last_payment_error=error)
    await tx.tell("payment_intent.payment_failed", intent)
    await tx.tell("checkout.session.async_payment_failed", checkout)
    return checkout


async def show(tx: Transaction, session_id: str) -> tuple[Object, Object, Object | None]:
    """The session, what is hidden in it, and its payment intent, for the page. 404 when there is none."""
    checkout = await tx.find(session_id, "checkout.session")
    if checkout is None:
        raise missing("checkout session", session_id)
    intent = await tx.get(checkout["payment_intent"]) if checkout["payment_intent"] else None
    return checkout, await tx.hidden(session_id), intent


async def _ended(tx: Transaction, checkout: Object) -> Attempt | None:
    if checkout["status"] == "complete":
        return Attempt(
            Result.COMPLETE, checkout, event_id=(await tx.hidden(checkout["id"]))["completed_event"]
        )
    if checkout["status"] == "open" and checkout["expires_at"] <= tx.unix:
        await sessions.close(tx, checkout)
    return Attempt(Result.EXPIRED, checkout) if checkout["status"] == "expired" else None


async def _intent(tx: Transaction, checkout: Object) -> Object:
    """The session's payment intent; like Stripe's, it is made at the first attempt to pay."""
    if checkout["payment_intent"] is not None:
        return await tx.get(checkout["payment_intent"])
    data = (await tx.hidden(checkout["id"]))["payment_intent_data"]
    intent = await tx.add(objects.payment_intent(checkout, data, now=tx.unix), root=checkout["id"])
    await tx.change(checkout, payment_intent=intent["id"])
    await tx.tell("payment_intent.created", intent)
    return intent


async def _decline(tx: Transaction, checkout: Object, intent: Object, card: Card, payer: Payer) -> Attempt:
    charge = await _charge(tx, checkout, intent, card, payer, status="failed", method="card")
    await tx.tell("charge.failed", charge)
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": card.decline_code,
        "charge": charge["id"],
        "message": card.message,
    }
    changes = {"status": "requires_payment_method", "latest_charge": charge["id"], "next_action": None}
    previous = await tx.change(intent, last_payment_error=error, **changes)
    await tx.tell("payment_intent.payment_failed", intent, previous=previous)
    return Attempt(Result.DECLINED, checkout, card.message)


async def _capture(tx: Transaction, checkout: Object, intent: Object, card: Card, payer: Payer) -> Attempt:
    charge = await _charge(tx, checkout, intent, card, payer, status="succeeded", method="card")
    await tx.tell("charge.succeeded", charge)
    if card.behaviour is Behaviour.DISPUTES:
        await tx.plan("dispute", charge["id"], tx.now + DISPUTED_AFTER)
    await _succeed(tx, checkout, intent, charge)
    return await _complete(tx, checkout, payer)


async def _begin_debit(
    tx: Transaction, checkout: Object, intent: Object, payer: Payer, settle_after: timedelta
) -> Attempt:
    method = next(name for name in checkout["payment_method_types"] if name != "card")
    charge = await _charge(tx, checkout, intent, BANK, payer, status="pending", method=method)
    await tx.tell("charge.pending", charge)
    changes = {"status": "processing", "latest_charge": charge["id"], "next_action": None}
    previous = await tx.change(
        intent, last_payment_error=None, payment_method=charge["payment_method"], **changes
    )
    await tx.tell("payment_intent.processing", intent, previous=previous)
    await tx.plan("settle", checkout["id"], tx.now + settle_after)
    return await _complete(tx, checkout, payer)


async def _charge(
    tx: Transaction, checkout: Object, intent: Object, card: Card, payer: Payer, *, status: str, method: str
) -> Object:
    body = objects.charge(
        intent, card, status=status, method=method, email=payer.email, name=payer.name, now=tx.unix
    )
    return await tx.add(body, root=checkout["id"])


async def _succeed(tx: Transaction, checkout: Object, intent: Object, charge: Object) -> None:
    changes = {"status": "succeeded", "amount_received": charge["amount"], "latest_charge": charge["id"]}
    previous = await tx.change(
        intent, next_action=None, last_payment_error=None, payment_method=charge["payment_method"], **changes
    )
    await tx.tell("payment_intent.succeeded", intent, previous=previous)
    await tx.change(checkout, payment_status="paid")


async def _complete(tx: Transaction, checkout: Object, payer: Payer) -> Attempt:
    details = objects.customer_details(payer.email, payer.name)
    await tx.change(checkout, status="complete", url=None, customer_details=details)
    await tx.unplan("expire", checkout["id"])
    event = await tx.tell("checkout.session.completed", checkout)
    await tx.hide(checkout["id"], completed_event=event["id"])
    return Attempt(Result.COMPLETE, checkout, event_id=event["id"])
