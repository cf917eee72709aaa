"""Cursors: what we did not make is refused, in words, before anything is asked of the database."""

from uuid import UUID

import pytest

from models.base.errors import Invalid
from models.base.paging import decode_cursor, encode_cursor, instant, number, word

EARLY = "0001-01-01T00:00:00+14:00"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "é",
        "W",
        encode_cursor(),
        encode_cursor(5, 5, 5),
        encode_cursor(None, None, None),
        encode_cursor([], {}, []),
        encode_cursor(EARLY, 5, UUID(int=5)),
        encode_cursor("2026-01-01", 5, UUID(int=5)),
        encode_cursor("2026-01-01T00:00:00Z", 2**63, UUID(int=5)),
        encode_cursor("2026-01-01T00:00:00Z", 1e300, UUID(int=5)),
        encode_cursor("2026-01-01T00:00:00Z", "5", UUID(int=5)),
        encode_cursor("2026-01-01T00:00:00Z", True, UUID(int=5)),
        encode_cursor("2026-01-01T00:00:00Z", 5, "5"),
    ],
)
def test_a_cursor_that_we_did_not_make_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        decode_cursor(cursor, instant, number, UUID)
    assert list(refusal.value.fields) == ["cursor"]


def test_a_cursor_of_ours_is_read_as_it_was_written() -> None:
    key = (instant("2026-01-01T01:00:00+01:00"), 2**62, UUID(int=5))
    assert decode_cursor(encode_cursor(*key), instant, number, UUID) == key


@pytest.mark.parametrize("value", ["a\0b", 5, None])
def test_a_name_that_no_column_can_hold_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(value), word)
