"""Letters about a person's own account."""

import re
from typing import Unpack

from emails.accounts.facts import SignIn
from emails.letter import Letter, write

_LINKLIKE = re.compile(r"\S*(?:://|\.[^\W\d])\S*")
_LONGEST_ORIGIN = 80


def sign_in(to: str, **facts: Unpack[SignIn]) -> Letter:
    """The link and the code, to prove that the person reads mail at this address."""
    facts["asked_from"] = _harmless(facts["asked_from"])
    return write("accounts.sign_in", to, **facts)


def _harmless(asked_from: str) -> str:
    """Whoever asks names their own browser, and may ask for a stranger's address: without this, a
    made-up browser name would be an advertisement, link included, in a letter of ours.
    """
    return " ".join(_LINKLIKE.sub("…", asked_from).split())[:_LONGEST_ORIGIN]


LETTERS = (sign_in,)
