"""To the payment page and back, the webhook by which Stripe tells what happened there, and the invoices of it."""

from typing import Any

from models.payments import leaving
from web.payments.checkout import CheckoutPages
from web.payments.invoices import Invoices
from web.payments.webhook import stripe_webhook

__all__ = ["handlers", "leaving"]

handlers: list[Any] = [stripe_webhook, CheckoutPages, Invoices]
