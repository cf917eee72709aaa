"""What each letter of this slice must be told. Everything is text or a number, so that it can wait in a row."""

from typing import NotRequired, TypedDict


class Alert(TypedDict):
    board_url: str
    words: str  # one sentence about what is wrong
    since: str  # as people say it: "21 November 2026, 09:14 UTC"
    until: str | None  # the same, once it is over

    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]
