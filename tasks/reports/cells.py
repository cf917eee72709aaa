"""What every kind of file is given to write, and how it reads."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from models.exports.data_sets import Cell

#: Adds rows to a file that is being written.
Add: TypeAlias = Callable[[Sequence[Sequence[Cell]]], None]


def words_of(cell: Cell) -> str:
    """A cell in words: moments in UTC to the second, truth as yes and no, nothing as nothing."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(cell)
