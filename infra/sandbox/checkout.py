"""Checkout Sessions: begun by the API, ended by the customer, the API or the clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.sandbox import objects
from infra.sandbox.cards import DELAYED_METHODS
from infra.sandbox.errors import invalid, refused
from infra.sandbox.ledger import Object, Transaction

MINIMUM_AMOUNT = 50
"""Stripe's least charge in US cents; near enough for other currencies (docs.stripe.com/currencies)."""
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(hours=24)


async def create(tx: Transaction, params: dict[str, Any], *, public_url: str) -> Object:
    expires_at = params.get("expires_at", tx.unix + int(LONGEST.total_seconds()))
    _check_expiry(tx.unix, expires_at)
    currencies = {item["price_data"]["currency"].lower() for item in params["line_items"]}
    if len(currencies) != 1:
        raise invalid("All line items must have one currency.", param="line_items")
    (currency,) = currencies
    checkout = objects.session(
        params,
        methods=_methods(params, currency),
        now=tx.unix,
        expires_at=expires_at,
        public_url=public_url,
    )
    if checkout["amount_total"] < MINIMUM_AMOUNT:
        raise invalid(
            "The Checkout Session's total amount must be at least $0.50 usd.",
            param="line_items",
            code="amount_too_small",
        )
    await tx.add(checkout, root=checkout["id"])
    await tx.hide(
        checkout["id"],
        line_items=[objects.line_item(item, now=tx.unix) for item in params["line_items"]],
        product_descriptions=[
            item["price_data"]["product_data"].get("description") for item in params["line_items"]
        ],
        payment_intent_data=params.get("payment_intent_data", {}),
    )
    await tx.plan("expire", checkout["id"], datetime.fromtimestamp(expires_at, UTC))
    return checkout


def _check_expiry(now: int, expires_at: int) -> None:
    # The half minute is for clocks that disagree and for requests under way.
    if expires_at < now + SHORTEST.total_seconds() - 30:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if expires_at > now + LONGEST.total_seconds() + 30:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )


def _methods(params: dict[str, Any], currency: str) -> list[str]:
    """What the page offers: cards and the currency's bank debit, less what `allowed_…` leaves out."""
    delayed = DELAYED_METHODS.get(currency)
    offered = ["card", delayed] if delayed else ["card"]
    allowed = params.get("allowed_payment_method_types", offered)
    left = [method for method in offered if method in allowed]
    if not left:
        raise invalid(
            f"None of the allowed payment methods is offered by the sandbox in {currency}: it has {', '.join(offered)}.",
            param="allowed_payment_method_types",
        )
    return left


async def expire(tx: Transaction, session_id: str) -> Object:
    """The API's word that nobody may pay here any more. Refused once the customer has finished."""
    checkout = await tx.hold(session_id, "checkout.session", "checkout session")
    if checkout["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of {checkout['status']}."
        )
    return await close(tx, checkout)


async def close(tx: Transaction, checkout: Object) -> Object:
    """Expire an open session whose payment the caller holds."""
    if checkout["payment_intent"] is not None:
        intent = await tx.get(checkout["payment_intent"])
        previous = await tx.change(
            intent, status="canceled", canceled_at=tx.unix, cancellation_reason="expired", next_action=None
        )
        await tx.tell("payment_intent.canceled", intent, previous=previous)
    await tx.change(checkout, status="expired", url=None)
    await tx.unplan("expire", checkout["id"])
    await tx.tell("checkout.session.expired", checkout)
    return checkout
