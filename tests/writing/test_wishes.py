"""Each of the customer's reasons changes what a language model is offered and told."""

import pytest

from models.orders.text.edits import Edit, Wrap, places
from models.orders.text.markdown import parse
from tasks.writing.wishes import left, words_of

TEXT = """\
# Walking the causeway

The island can be reached on foot for a few hours a day. Most visitors come by boat instead.

## When to go

Start two hours before low water, and take the long way round. The current is stronger than it looks from there.

Turn back at once if the posts are already wet at their feet. Nobody has ever regretted an hour that was lost.

## What to bring

Boots that reach the knee are better than any that dry quickly. A stick helps where the sand has become soft.
"""
DOCUMENT = parse(TEXT)
GAPS = places(TEXT)
LAST = Edit(2, 1, "Harbour offices print {anchor} for the season.")


def offered(*reasons: str, last: Edit | Wrap = LAST) -> set[int]:
    return {gap.paragraph for gap in left(DOCUMENT, GAPS, reasons, [last])}


def test_the_first_version_may_stand_anywhere():
    assert left(DOCUMENT, GAPS, [], []) == GAPS
    assert words_of(DOCUMENT, [], []) == []


def test_no_gap_is_offered_twice():
    rest = left(DOCUMENT, GAPS, [], [LAST])
    assert [gap for gap in GAPS if gap not in rest] == [
        gap for gap in GAPS if (gap.paragraph, gap.after_sentence) == (2, 1)
    ]
    assert "without giving a reason" in words_of(DOCUMENT, [], [LAST])[0]


@pytest.mark.parametrize(
    ("reason", "paragraphs", "words"),
    [
        ("too_early", {3, 4}, "too early, in paragraph 2"),
        ("wrong_section", {1, 4}, "wrong section, “Walking the causeway / When to go”"),
        ("unnatural_anchor", {1, 3, 4}, "Harbour offices print {anchor}"),
    ],
)
def test_each_reason_narrows_the_places_and_says_what_was_wrong(
    reason: str, paragraphs: set[int], words: str
):
    assert offered(reason) == paragraphs
    [said] = words_of(DOCUMENT, [reason], [LAST])
    assert words in said


def test_reasons_add_up():
    assert offered("too_early", "wrong_section") == {4}
    assert len(words_of(DOCUMENT, ["too_early", "wrong_section"], [LAST])) == 2


def test_a_reason_that_would_leave_nothing_does_not_count():
    last = Edit(4, 2, "It is in the {anchor}.")
    assert offered("too_early", last=last) == {1, 2, 3, 4}


def test_a_wrapped_anchor_counts_by_its_paragraph():
    assert offered("unnatural_anchor", last=Wrap(3, 0, 4)) == {1, 2, 4}
