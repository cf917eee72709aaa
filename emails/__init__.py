"""The room that tells: the words of every letter, how they become bytes, and the ways to send those.

A letter is a pure function `emails.<slice>.<name>(to, **facts)` and the files `subject.txt`, `body.txt`
and `body.html` in `emails/<slice>/<name>/`. Jobs, which carry a letter as its kind and facts, use
`write_letter`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from emails import accounts, jobs, notices, orders
from emails.letter import BadAddress, Letter

__all__ = ["LETTERS", "BadAddress", "Letter", "UnknownLetter", "WrongFacts", "write_letter"]

_SLICES = (accounts, jobs, notices, orders)

LETTERS: Mapping[str, Callable[..., Letter]] = MappingProxyType(
    {
        f"{room.__name__.removeprefix('emails.')}.{letter.__name__}": letter
        for room in _SLICES
        for letter in room.LETTERS
    }
)


class UnknownLetter(LookupError):
    """No letter has this kind."""


class WrongFacts(TypeError):
    """A letter was given a fact too many, too few, or of another type than it wants."""


def write_letter(
    kind: str,
    to: str,
    facts: Mapping[str, object],
    *,
    unsubscribe_url: str | None = None,
    is_test: bool = False,
) -> Letter:
    """The letter `kind` (such as `orders.backlink_ready`) told `facts`, which may come out of a JSON column.

    Raises UnknownLetter, WrongFacts naming every fact that does not fit, or BadAddress.
    """
    if kind not in LETTERS:
        raise UnknownLetter(f"no letter {kind!r}; there are {', '.join(sorted(LETTERS))}")
    _check(kind, facts)
    return LETTERS[kind](to, unsubscribe_url=unsubscribe_url, is_test=is_test, **facts)


def facts_of(kind: str) -> Mapping[str, object]:
    """The names of the facts a letter must be told, each with its type (`str`, `int` or `str | None`)."""
    (facts,) = get_args(get_type_hints(LETTERS[kind])["facts"])
    return {name: hint for name, hint in _known(kind).items() if name in facts.__required_keys__}


def _known(kind: str) -> Mapping[str, Any]:
    """The same, with those that it may be told."""
    (facts,) = get_args(get_type_hints(LETTERS[kind])["facts"])
    hints = get_type_hints(facts)
    return {name: hints[name] for name in sorted(hints) if name not in {"unsubscribe_url", "is_test"}}


def _check(kind: str, facts: Mapping[str, object]) -> None:
    known = _known(kind)
    faults = [f"{name} is missing" for name in facts_of(kind) if name not in facts]
    faults += [f"{name} is not a fact of this letter" for name in facts if name not in known]
    faults += [
        f"{name} is {type(facts[name]).__name__}, not {getattr(hint, '__name__', hint)}"
        for name, hint in known.items()
        if name in facts and not isinstance(facts[name], hint)
    ]
    if faults:
        raise WrongFacts(f"{kind}: {'; '.join(faults)}")
