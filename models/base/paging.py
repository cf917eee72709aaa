"""Keyset pages: every list is read by a cursor, so page ten thousand costs what page one costs."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson

from models.base.errors import Invalid

T = TypeVar("T")

PAGE_SIZE = 25
#: What fits PostgreSQL's bigint.
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last one."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(*key: object) -> str:
    """Pack the sort key of a page's last row into an opaque string that is safe in a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).decode().rstrip("=")


def decode_cursor(cursor: str, *types: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Unpack a cursor into one value per type; raise `Invalid` for anything that we did not make."""
    try:
        values: list[Any] = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(kind(value) for kind, value in zip(types, values, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise Invalid(
            {"cursor": "This place in the list is not known. Start again from the first page."}
        ) from error


def instant(value: str) -> datetime:
    """An aware moment as `encode_cursor` writes it."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC)


def number(value: object) -> int:
    """A whole number that a column can hold."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise ValueError(value)
    return value


def word(value: object) -> str:
    """Text that a column can hold."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def page_of(rows: Sequence[T], size: int, key: Callable[[T], Sequence[object]]) -> Page[T]:
    """Make a page from `size + 1` rows: the extra one only tells that there is more."""
    items = rows[:size]
    more = len(rows) > size
    return Page(items, encode_cursor(*key(items[-1])) if more else None)
