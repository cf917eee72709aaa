"""State machines as drawings: one mapping of moves, one function that refuses the undrawn."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from models.base.errors import Conflict

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]


def move(moves: Moves[S], here: S, there: S) -> S:
    """Return `there` if the drawing has an arrow from `here`; raise `Conflict` otherwise."""
    if there not in moves.get(here, frozenset()):
        raise Conflict(f"This is {_words(here)} and cannot become {_words(there)}.")
    return there


def _words(state: StrEnum) -> str:
    return state.value.replace("_", " ").lower()


def sources(moves: Moves[S], there: S) -> frozenset[S]:
    """Every state from which the drawing allows a move to `there`: the condition of a compare-and-set."""
    return frozenset(here for here, ways in moves.items() if there in ways)
