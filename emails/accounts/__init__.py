"""Letters about a person's own account."""

import re
from typing import Unpack

from emails.accounts.facts import Changed, PasskeyChanged, SignIn, TokenMade, TokenRevoked
from emails.letter import Letter, write

_LINKLIKE = re.compile(r"\S*(?:://|\.[^\W\d])\S*")
_LONGEST_ORIGIN = 80


def sign_in(to: str, **facts: Unpack[SignIn]) -> Letter:
    """The link and the code, to prove that the person reads mail at this address."""
    facts["asked_from"] = _harmless(facts["asked_from"])
    return write("accounts.sign_in", to, **facts)


def passkey_added(to: str, **facts: Unpack[PasskeyChanged]) -> Letter:
    """Somebody, hopefully its owner, has added a passkey to this account."""
    facts["name"] = _harmless(facts["name"])
    return write("accounts.passkey_added", to, **facts)


def passkey_removed(to: str, **facts: Unpack[PasskeyChanged]) -> Letter:
    """One of several passkeys was removed."""
    facts["name"] = _harmless(facts["name"])
    return write("accounts.passkey_removed", to, **facts)


def passkeys_gone(to: str, **facts: Unpack[Changed]) -> Letter:
    """The last passkey was removed, or all were, because they were lost: a letter is enough again."""
    return write("accounts.passkeys_gone", to, **facts)


def token_made(to: str, **facts: Unpack[TokenMade]) -> Letter:
    """A program can act in this person's stead from now on."""
    facts["name"] = _harmless(facts["name"])
    return write("accounts.token_made", to, **facts)


def token_revoked(to: str, **facts: Unpack[TokenRevoked]) -> Letter:
    """A program cannot any more."""
    facts["name"] = _harmless(facts["name"])
    return write("accounts.token_revoked", to, **facts)


def _harmless(words: str) -> str:
    """Whoever asks names their own browser, and may ask for a stranger's address: without this, a
    made-up browser name would be an advertisement, link included, in a letter of ours. A passkey's or a
    token's name is shown to its owner, who may not be the one who gave it.
    """
    return " ".join(_LINKLIKE.sub("…", words).split())[:_LONGEST_ORIGIN]


LETTERS = (sign_in, passkey_added, passkey_removed, passkeys_gone, token_made, token_revoked)
