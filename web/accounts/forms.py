"""What the forms of signing in are read into."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from models.accounts.address import LONGEST, normal_address
from models.accounts.rules import is_code, plain_code
from web.forms import identity, text


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
