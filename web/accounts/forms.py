"""What the forms of signing in are read into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from models.accounts.address import LONGEST, normal_address
from models.accounts.rules import is_code, plain_code
from models.accounts.states import Scope
from models.accounts.tokens import LIVES
from web.forms import identity, text

LONGEST_NAME: Final = 60
#: What a device answers is a few kilobytes.
LONGEST_ANSWER: Final = 20_000


def _address(value: str) -> str:
    return normal_address(value)


def _code(value: str) -> str:
    code = plain_code(value)
    if not is_code(code):
        raise ValueError("Enter the six digits that stand in the letter, like 123 456.")
    return code


@dataclass(frozen=True, slots=True)
class Asking:
    """An address to write to."""

    # Longer than any address may be, so that the address's own rule says what is wrong with a long one.
    email: Annotated[str, text("Enter your e-mail address.", max_length=4 * LONGEST, then=_address)]


@dataclass(frozen=True, slots=True)
class Proving:
    """A code, and the request that it belongs to: two tabs may ask for two addresses."""

    request: Annotated[UUID, identity("Ask for another letter: we do not know which one this code is from.")]
    code: Annotated[str, text("Enter the six digits that stand in the letter.", then=_code)]


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """What a device has signed, as the browser's JSON."""

    credential: Annotated[
        str,
        text(
            "Your browser did not ask for a passkey. Allow scripts here, then try again.",
            max_length=LONGEST_ANSWER,
        ),
    ]


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that was just made, and what to call it."""

    name: Annotated[str, text("Name it, like “Laptop” or “Key on my keyring”.", max_length=LONGEST_NAME)]
    credential: Annotated[
        str,
        text(
            "Your browser did not make a passkey. Allow scripts here, then try again.",
            max_length=LONGEST_ANSWER,
        ),
    ]


def _scopes(sent: Sequence[str]) -> list[Scope]:
    try:
        chosen = [Scope(one) for one in sent if one]
    except ValueError:
        raise ValueError("Choose from the list.") from None
    if not chosen:
        raise ValueError("Choose at least one thing that the token may do.")
    return chosen


def _life(sent: Sequence[str]) -> timedelta:
    days = sent[0] if sent else ""
    if days not in {str(one) for one in LIVES}:
        raise ValueError("Choose how long the token works.")
    return timedelta(days=int(days))


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token for a program."""

    name: Annotated[str, text("Say what the token is for.", max_length=LONGEST_NAME)]
    scopes: Annotated[list[Scope], _scopes]
    life: Annotated[timedelta, _life]


@dataclass(frozen=True, slots=True)
class Leaving:
    """One's own address, typed again."""

    email: Annotated[str, text("Type your e-mail address to confirm.", max_length=4 * LONGEST, then=_address)]
