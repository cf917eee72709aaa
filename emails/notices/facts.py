"""What each letter of this slice must be told. Everything is text or a number, so that it can wait in a row."""

from typing import NotRequired, TypedDict


class Message(TypedDict):
    subject: str
    body: str  # Markdown

    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]
