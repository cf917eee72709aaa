"""Before and after, as the customer sees them."""

from models.orders.text.diff import Segment, changes
from models.orders.text.edits import Edit, splice, standing
from tests.writing.articles import ANCHOR, ARTICLE, URL


def test_a_new_sentence_is_one_insertion_between_folded_blocks() -> None:
    after = splice(ARTICLE, Edit(2, 1, "For more, read about {anchor}."), url=URL, anchor=ANCHOR)
    blocks = changes(ARTICLE, after)
    assert [block.kind for block in blocks] == ["same", "changed", "same"]
    assert blocks[1].heading_path == ("A quiet cup", "Beans")
    inserted = [segment for segment in blocks[1].segments if segment.kind == "insert"]
    assert inserted == [
        Segment("insert", " For more, read about "),
        Segment("insert", ANCHOR, URL, is_new_link=True),
        Segment("insert", "."),
    ]


def test_wrapped_words_are_the_same_words_with_a_new_link() -> None:
    (wrap,) = standing(ARTICLE, ANCHOR)
    (_, changed, _) = changes(ARTICLE, splice(ARTICLE, wrap, url=URL, anchor=ANCHOR))
    assert {segment.kind for segment in changed.segments} == {"same"}
    assert [segment.text for segment in changed.segments if segment.is_new_link] == [ANCHOR]


def test_segments_give_both_texts_back() -> None:
    before, after = "One two three.\n\nFour.", "One 2 three, and more.\n\nFour."
    changed = changes(before, after)[0]
    assert "".join(s.text for s in changed.segments if s.kind != "insert") == "One two three."
    assert "".join(s.text for s in changed.segments if s.kind != "delete") == "One 2 three, and more."


def test_added_and_removed_blocks_are_told() -> None:
    assert [block.kind for block in changes("A.\n\nB.", "A.\n\nB.\n\nC.")] == ["same", "added"]
    assert [block.kind for block in changes("A.\n\nB.\n\nC.", "A.\n\nC.")] == ["same", "removed", "same"]
    assert [block.kind for block in changes(ARTICLE, ARTICLE)] == ["same"]


def test_a_changed_block_among_equal_ones_is_told_as_changed() -> None:
    same, other = "The same words.", "The same words. And others."
    found = changes(f"{same}\n\n{same}\n\n{same}\n", f"{same}\n\n{other}\n\n{same}\n")
    assert [(one.kind, len(one.segments)) for one in found] == [("same", 1), ("changed", 2), ("same", 1)]
