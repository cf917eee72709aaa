"""Letters about the jobs, to the people who look after them."""

from typing import Unpack

from emails.jobs.facts import Alert
from emails.letter import Letter, write


def alert(to: str, **facts: Unpack[Alert]) -> Letter:
    """Something is not as it should be, or is over."""
    return write("jobs.alert", to, **facts)


LETTERS = (alert,)
