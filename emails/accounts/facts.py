"""What each letter of this slice must be told. Everything is text or a number, so that it can wait in a row."""

from typing import NotRequired, TypedDict


class Always(TypedDict):
    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]


class SignIn(Always):
    link: str
    code: str  # six digits, no blank
    purpose: str  # completes "You asked to": "sign in", "pay for your order of 49.00 EUR"
    asked_from: str  # the asking browser and rough place: "Firefox on Linux, near Lyon"
    asked_at: str  # "21 November 2026, 09:14 UTC"
    minutes: int  # how long link and code work


class Changed(Always):
    changed_at: str  # "21 November 2026, 09:14 UTC"
    changed_from: str  # "Firefox on Linux, 198.51.100.1"
    account_url: str  # where to see it and to undo it


class PasskeyChanged(Changed):
    name: str  # what its owner calls it: "Laptop"


class TokenRevoked(Changed):
    name: str
    prefix: str  # the beginning by which the token is known: "glt_Ab12Cd"


class TokenMade(TokenRevoked):
    scopes: str  # "see your orders, decide about your orders"
    expires_on: str  # "21 December 2026"
