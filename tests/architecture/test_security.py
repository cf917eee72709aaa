"""The page about security names tests that exist, and leaves out no requirement of the standard."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
#: The requirements of ASVS 5.0 at levels 1 and 2, by section: 253 of them.
REQUIRED = """
1.1.1-2 1.2.1-9 1.3.1-11 1.4.1-3 1.5.1-2 2.1.1-3 2.2.1-3 2.3.1-4 2.4.1 3.2.1-2 3.3.1-4 3.4.1-6 3.5.1-5 3.7.1-2 4.1.1-3
4.2.1 4.3.1-2 4.4.1-4 5.1.1 5.2.1-3 5.3.1-2 5.4.1-3 6.1.1-3 6.2.1-12 6.3.1-4 6.4.1-4 6.5.1-5 6.6.1-3 6.8.1-4 7.1.1-3
7.2.1-4 7.3.1-2 7.4.1-5 7.5.1-2 7.6.1-2 8.1.1-2 8.2.1-3 8.3.1 8.4.1 9.1.1-3 9.2.1-4 10.1.1-2 10.2.1-2 10.3.1-4 10.4.1-11
10.5.1-5 10.6.1-2 10.7.1-3 11.1.1-2 11.2.1-3 11.3.1-3 11.4.1-4 11.5.1 11.6.1 12.1.1-3 12.2.1-2 12.3.1-4 13.1.1 13.2.1-5
13.3.1-2 13.4.1-5 14.1.1-2 14.2.1-4 14.3.1-3 15.1.1-3 15.2.1-3 15.3.1-7 16.1.1 16.2.1-5 16.3.1-4 16.4.1-3 16.5.1-3 17.1.1
17.2.1-4 17.3.1-2
"""
#: What a row may say instead of naming a test.
HONEST = re.compile(r"Does not apply|Not met|Not proven here|By inspection: ")


def spread(ranges: str) -> Iterator[str]:
    """`1.2.6-8` is three requirements."""
    for section, first, last in re.findall(r"(\d+\.\d+)\.(\d+)(?:[–-](\d+))?", ranges):  # noqa: RUF001 - an en dash
        yield from (f"{section}.{number}" for number in range(int(first), int(last or first) + 1))


def test_every_attack_is_proven_by_a_test_that_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"def (test_\w+)\(", sources)) == set()
    rows = re.findall(r"^\| (\d+) \|.*`test_\w+`", PAGE, re.MULTILINE)
    assert rows == [str(number) for number in range(1, 23)]


def test_every_requirement_of_the_standard_is_met_by_a_test_or_honestly_not() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d[^|]*) \|(.*)$", PAGE, re.MULTILINE)
    answered = [one for ids, _ in rows for one in spread(ids)]
    required = list(spread(REQUIRED))
    assert len(required) == 253
    assert sorted(answered) == sorted(required)
    assert [ids for ids, row in rows if not HONEST.search(row) and "`test_" not in row] == []
