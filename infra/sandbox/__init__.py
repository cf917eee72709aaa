"""The pay sandbox: a small Stripe that takes only test money, for machines without a Stripe key.

It speaks Stripe's wire format, so the product and its tests use the real `stripe` library over real HTTP.
See README.md beside this file. Start it with `python -m infra.sandbox`.
"""

API_VERSION = "2026-10-28.endive"
"""The Stripe API version whose objects are imitated; a test compares it with the pinned library's."""
