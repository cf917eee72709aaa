"""The page about security names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_attack_is_proven_by_a_test_that_is_there() -> None:
    table = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", table))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"def (test_\w+)\(", sources)) == set()
    rows = re.findall(r"^\| (\d+) \|.*`test_\w+`", table, re.MULTILINE)
    assert rows == [str(number) for number in range(1, 23)]
