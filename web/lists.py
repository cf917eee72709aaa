"""Lists that are shown a page at a time: what was searched for, and the addresses of what is next."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from models.base.paging import Page

State = TypeVar("State", bound=StrEnum)

#: As long as an e-mail address may be. What is longer is cut, not refused: nobody types more into a search field.
LONGEST_SEARCH: Final = 254


def printable(typed: str) -> str:
    """The words without what nobody could have typed: PostgreSQL takes no NUL and no lone surrogate."""
    return "".join(one for one in typed if one.isprintable())


def searched(typed: str) -> str:
    """The words of a search, at most `LONGEST_SEARCH` of their characters. `printable` ones are never cut."""
    return printable(typed).strip()[:LONGEST_SEARCH]


def address(path: str, **asked: str) -> str:
    """`path` with what is asked of it; what is empty is left out."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


def tabs_of(
    path: str, states: Mapping[State | None, str], chosen: State | None
) -> list[tuple[str, str, bool, int | None]]:
    """A tab for each state, and for all of them (None): its words, address, whether it is `chosen`, and no number."""
    return [
        (words, address(path, show=one.value if one else ""), one is chosen, None)
        for one, words in states.items()
    ]


def listed(found: Page[Any], path: str, cursor: str | None, **asked: str) -> dict[str, Any]:
    """What the template of a list names: its rows, the way on, and the way back to the beginning."""
    return {
        "rows": found.items,
        "first": address(path, **asked) if cursor else None,
        "more": address(path, **asked, cursor=found.next_cursor) if found.next_cursor else None,
    }
