"""What every kind of file is given to write, and how it reads: for programs as it is, for people in their words."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, TypeAlias

from models.exports.data_sets import Cell

#: Adds rows to a file that is being written.
Add: TypeAlias = Callable[[Sequence[Sequence[Cell]]], None]

_CENTS: Final = "_cents"
#: The names of states.
_STATE: Final = re.compile(r"[A-Z]+(_[A-Z]+)*")


def words_of(cell: Cell) -> str:
    """A cell in words: moments in UTC to the second, truth as yes and no, nothing as nothing."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(cell)


class Sort(Enum):
    """What the cells of a column are to people."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as people read it. Whoever reads `paid_cents` sees what was paid, in whole units with two decimals."""

    title: str
    sort: Sort

    def shown(self, cell: Cell) -> str:
        """A cell in words for people."""
        if self.sort is Sort.MONEY and isinstance(cell, int | Decimal):
            return f"{cell / Decimal(100):,.2f}"
        if isinstance(cell, int | Decimal) and not isinstance(cell, bool):
            return f"{cell:,}"
        if isinstance(cell, datetime):
            at = cell.astimezone(UTC)
            return f"{at.day} {at:%b %Y, %H:%M}"
        if isinstance(cell, str) and self.title == "Currency":
            return cell.upper()  # as ISO 4217 writes it
        if isinstance(cell, str) and _STATE.fullmatch(cell):
            return cell.replace("_", " ").capitalize()
        return words_of(cell)


def columns_of(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Column]:
    """The columns by their names, and by what their first rows hold."""
    found: list[Column] = []
    for at, name in enumerate(names):
        cells = [row[at] for row in rows if row[at] is not None and not isinstance(row[at], bool)]
        if name.endswith(_CENTS):
            # What is always counted in one currency says so.
            title, sort = re.sub("_us$", ", USD", name.removesuffix(_CENTS)), Sort.MONEY
        elif cells and all(isinstance(one, datetime) for one in cells):
            title, sort = f"{name} (UTC)", Sort.MOMENT
        elif cells and all(isinstance(one, int | Decimal) for one in cells):
            title, sort = name, Sort.NUMBER
        else:
            title, sort = name.removeprefix("is_"), Sort.TEXT
        words = title.replace("_", " ")
        words = words[:1].upper() + words[1:]
        # As long as nothing is paid, when it was paid looks like how much.
        found.append(Column(f"{words} at" if any(one.title == words for one in found) else words, sort))
    return found
