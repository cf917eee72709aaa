"""Letters that somebody had written, by a program or by hand."""

from typing import Unpack

from emails.letter import Letter, write
from emails.notices.facts import Message


def message(to: str, **facts: Unpack[Message]) -> Letter:
    """A letter in the words of whoever had it sent."""
    return write("notices.message", to, **facts)


LETTERS = (message,)
