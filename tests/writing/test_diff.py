"""Before and after, as the customer sees them."""

from models.orders.text.diff import Segment, changed_html, changes
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


def test_the_changed_paragraph_is_shown_with_its_new_words_marked() -> None:
    after = splice(ARTICLE, Edit(2, 1, "For more, read about {anchor}."), url=URL, anchor=ANCHOR)
    shown = changed_html(ARTICLE, after, URL)
    assert shown is not None
    assert f'<ins>For more, read about <a href="{URL}" class="link-new">{ANCHOR}</a>.</ins>' in shown.after
    assert "<ins>" not in shown.before
    assert '<a href="https://roaster.example.com/bags">' in shown.before


def test_a_wrapped_link_is_marked_by_itself() -> None:
    (wrap,) = standing(ARTICLE, ANCHOR)
    shown = changed_html(ARTICLE, splice(ARTICLE, wrap, url=URL, anchor=ANCHOR), URL)
    assert shown is not None
    assert f'<ins><a href="{URL}" class="link-new">{ANCHOR}</a></ins>' in shown.after


def test_links_defined_elsewhere_in_the_text_are_shown_as_links() -> None:
    before = "Old words [here][n] are read. More of them follow.\n\n[n]: https://n.example"
    after = splice(before, Edit(1, 1, "See also {anchor}."), url=URL, anchor=ANCHOR)
    shown = changed_html(before, after, URL)
    assert shown is not None
    assert '<a href="https://n.example">here</a>' in shown.before
    assert '<a href="https://n.example">here</a>' in shown.after


def test_what_is_not_one_changed_paragraph_is_not_shown_as_one() -> None:
    assert changed_html(ARTICLE, ARTICLE, URL) is None
    assert changed_html(ARTICLE, ARTICLE.replace("## Beans", "## Bean"), URL) is None


def test_marks_in_the_text_itself_do_no_harm() -> None:
    before = "One \ue0b1 two. Three <b>."
    after = splice(before, Edit(1, 1, "See also {anchor}."), url=URL, anchor=ANCHOR)
    shown = changed_html(before, after, URL)
    assert shown is not None
    assert "<ins>" not in shown.after
    assert "link-new" in shown.after
