"""To the payment page and back, and the webhook by which Stripe tells what happened there."""

from typing import Any

from web.payments.checkout import CheckoutPages
from web.payments.webhook import stripe_webhook

handlers: list[Any] = [stripe_webhook, CheckoutPages]
