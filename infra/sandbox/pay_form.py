"""The form of the hosted page: what it holds, and what is wrong with it, all at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from infra.sandbox.cards import BANK, Card, find
from infra.sandbox.forms import is_email

PREFILLED = {
    "card": "4242424242424242",
    "number": "",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Test Customer",
}
TYPED = "typed"
"""The choice "another test card", whose number is typed."""
_ON_THE_PAGE = ("email", "card", "number", "expiry", "cvc", "name")
_LONGEST_NAME = 150
_MONTHS = 12


@dataclass(slots=True)
class PayForm:
    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    card: Card | None = None


def blank(email: str | None) -> PayForm:
    return PayForm({**PREFILLED, "email": email or ""})


def read(given: Mapping[str, str], *, fixed_email: str | None, methods: list[str], now: datetime) -> PayForm:
    """Read what was posted. `fixed_email` is the session's, which the customer cannot change."""
    values = {name: given.get(name, "").strip() for name in (*PREFILLED, "email")}
    if fixed_email is not None:
        values["email"] = fixed_email
    form = PayForm(values)
    form.card = _choice(form, methods)
    if values["card"] != BANK.key:
        _check_card_details(form, now)
    if not 1 <= len(values["name"]) <= _LONGEST_NAME:
        form.errors["name"] = "Enter your name"
    if not is_email(values["email"]):
        form.errors["email"] = "Enter an email address, like name@example.com"
    form.errors = {name: form.errors[name] for name in _ON_THE_PAGE if name in form.errors}
    return form


def _choice(form: PayForm, methods: list[str]) -> Card | None:
    choice = form.values["card"]
    if choice == BANK.key and len(methods) > ("card" in methods):
        return BANK
    if "card" in methods and (card := find(form.values["number"] if choice == TYPED else choice)) is not None:
        return card
    if choice == TYPED and form.values["number"]:
        form.errors["number"] = "Use one of the listed test cards. Never type a real card number here"
        # It may have been a real card after all, so it is not even sent back.
        form.values["number"] = ""
    elif choice == TYPED:
        form.errors["number"] = "Enter the number of a test card"
    else:
        form.errors["card"] = "Choose how to pay"
    return None


def _check_card_details(form: PayForm, now: datetime) -> None:
    match = re.fullmatch(r"(\d{1,2})\s*/?\s*(\d{2})", form.values["expiry"], re.ASCII)
    if match is None or not 1 <= int(match[1]) <= _MONTHS:
        form.errors["expiry"] = "Enter the expiry date, like 12 / 34"
    elif (2000 + int(match[2]), int(match[1])) < (now.year, now.month):
        form.errors["expiry"] = "The expiry date must be in the future"
    if not re.fullmatch(r"\d{3,4}", form.values["cvc"], re.ASCII):
        form.errors["cvc"] = "Enter the security code, 3 or 4 digits"
