"""What the README says of reliability is what was measured last, and it is good."""

import orjson

from tests.architecture.tree import ROOT


def test_the_readme_quotes_the_last_whole_run_which_kept_every_promise() -> None:
    figures = orjson.loads((ROOT / "tests" / "reliability" / "figures.json").read_bytes())
    words = " ".join((ROOT / "README.md").read_text().split())
    assert f"of {figures['attempted']:,} jobs none was lost and none done twice" in words
    assert figures["lost"] == figures["unexpected"] == figures["done_twice"] == 0
    assert figures["deployment"]["failed"] == figures["deployment"]["events_lost_or_doubled"] == 0
    assert figures["fairness_index"] >= 0.99
    assert f"fairness index of {figures['fairness_index']}" in words
    assert all(figures["guards_missed_when_removed"].values())
