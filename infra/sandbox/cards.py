"""The test cards of the hosted page, and the money notation of its words.

Source of the numbers: https://docs.stripe.com/testing
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    PAYS = "pays"
    DECLINES = "declines"
    ASKS = "asks"
    DISPUTES = "disputes"
    SETTLES_LATER = "settles_later"


@dataclass(frozen=True, slots=True)
class Card:
    """One way to pay. `number` is empty for the bank method, whose `key` stands in the form instead."""

    key: str
    number: str
    behaviour: Behaviour
    label: str
    explanation: str
    decline_code: str = ""
    message: str = ""

    @property
    def last4(self) -> str:
        return self.number[-4:]


CARDS = (
    Card("4242424242424242", "4242 4242 4242 4242", Behaviour.PAYS, "Pays", "The payment succeeds."),
    Card(
        "4000000000000002",
        "4000 0000 0000 0002",
        Behaviour.DECLINES,
        "Is declined",
        "The bank gives no reason.",
        "generic_decline",
        "Your card was declined.",
    ),
    Card(
        "4000000000009995",
        "4000 0000 0000 9995",
        Behaviour.DECLINES,
        "Has no funds",
        "The account is empty.",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    Card(
        "4000002500003155",
        "4000 0025 0000 3155",
        Behaviour.ASKS,
        "Asks for 3-D Secure",
        "You confirm it first.",
    ),
    Card(
        "4000000000000259",
        "4000 0000 0000 0259",
        Behaviour.DISPUTES,
        "Is disputed later",
        "Pays, then a dispute.",
    ),
)
BANK = Card("bank", "", Behaviour.SETTLES_LATER, "Bank debit", "Accepted now, settled soon.")

DELAYED_METHODS = {"usd": "us_bank_account", "eur": "sepa_debit", "gbp": "bacs_debit"}
"""Stripe's bank debit for a currency; other currencies have none here."""


def find(typed: str) -> Card | None:
    """The test card with this number, spaces and dashes apart; None for every other number in the world."""
    digits = re.sub(r"[\s-]", "", typed)
    return next((card for card in CARDS if card.key == digits), None)


_ZERO_DECIMAL = {
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "ugx",
    "vnd",
    "vuv",
    "xaf",
    "xof",
    "xpf",
}
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def money(amount: int, currency: str) -> str:
    """`4900, "usd"` reads `$49.00`; an unknown symbol becomes the code: `CHF 49.00`.

    Zero-decimal currencies: https://docs.stripe.com/currencies#zero-decimal
    """
    number = f"{amount:,}" if currency in _ZERO_DECIMAL else f"{amount / 100:,.2f}"
    return f"{_SYMBOLS.get(currency, currency.upper() + ' ')}{number}"
