"""What each letter of this slice must be told. Everything is text or a number, so that it can wait in a row."""

from typing import NotRequired, TypedDict


class SignIn(TypedDict):
    link: str
    code: str  # six digits, no blank
    purpose: str  # completes "You asked to": "sign in", "pay for your order of 49.00 EUR"
    asked_from: str  # the asking browser and rough place: "Firefox on Linux, near Lyon"
    asked_at: str  # "21 November 2026, 09:14 UTC"
    minutes: int  # how long link and code work

    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]
