"""Splitting sentences, and edits that leave every other byte alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.text.comparison import edit_made
from models.orders.text.edits import BadEdit, Edit, Wrap, places, splice, standing
from models.orders.text.markdown import href_of, links, parse, plain_text
from models.orders.text.sentences import is_finished, sentences, split
from tests.writing.articles import ANCHOR, ARTICLE, URL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.5 m, e.g. in cash. Then he left.", ["Dr. Smith paid 3.5 m, e.g. in cash.", "Then he left."]),
        ("J. R. Tolkien wrote it. Yes.", ["J. R. Tolkien wrote it.", "Yes."]),
        ("See No. 5 here. No. Not that.", ["See No. 5 here.", "No.", "Not that."]),
        ("Use Node.js today. Wait… and see.", ["Use Node.js today.", "Wait… and see."]),
        ("“Really?” he asked. (Yes.) Done", ["“Really?” he asked.", "(Yes.)", "Done"]),
        ("[a. B](https://x.y/a.b). `x. Y` **it.** Next.", ["[a. B](https://x.y/a.b).", "`x. Y` **it.**", "Next."]),
        ("[Read me.](https://x.y) And *this one. Too.* End.", ["[Read me.](https://x.y)", "And *this one. Too.*", "End."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_would_say(text: str, expected: list[str]) -> None:
    (block,) = parse(text).blocks
    assert [block.source[start:end] for start, end in sentences(block)] == expected


def test_a_heading_line_and_a_lead_in_are_not_finished_sentences() -> None:
    assert not is_finished("The steps are:")
    assert not is_finished("No stop")
    assert is_finished("It is **so.**")


@given(st.text(alphabet="aB .!?…()\"'*\n", max_size=60))
def test_sentences_cover_the_text_and_never_overlap(text: str) -> None:
    found = split(text)
    assert "".join("".join(text[start:end].split()) for start, end in found) == "".join(text.split())
    assert all(end <= start for (_, end), (start, _) in pairwise(found))


def test_a_sentence_goes_after_the_named_one_and_all_else_stays() -> None:
    after = splice(ARTICLE, Edit(2, 1, "For more, read about {anchor}."), url=URL, anchor=ANCHOR)
    new = f" For more, read about [{ANCHOR}]({URL})."
    assert after == ARTICLE.replace("goes faster.", "goes faster." + new)


def test_the_anchor_is_linked_where_the_sentence_says_it() -> None:
    after = splice(ARTICLE, Edit(3, 1, "Readers like coffee grinders a lot."), url=URL, anchor=ANCHOR)
    assert f"Readers like [{ANCHOR}]({URL}) a lot." in after


def test_standing_words_become_the_link() -> None:
    (wrap,) = standing(ARTICLE, ANCHOR)
    after = splice(ARTICLE, wrap, url=URL, anchor=ANCHOR)
    assert after == ARTICLE.replace("Cheap coffee grinders", f"Cheap [{ANCHOR}]({URL})")


def test_words_in_the_first_sentence_links_code_and_headings_are_not_wrapped() -> None:
    text = "# word\n\nThe word is here. A `word` and [a word](/x) and ![word](y) and crossword, and **a word** too."
    found = standing(text, "word")
    assert [parse(text).blocks[1].source[w.start - 4 : w.end] for w in found] == ["**a word"]


@pytest.mark.parametrize(
    "anchor",
    [
        "[weird] *anchor*_x",
        "a\\b",
        "`code`",
        "C++ & <b>tags</b>",
        "&amp;",
        "50% off!",
        "![x](y)",
        "a|b",
        "~~x~~",
        "ends\\",
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "https://bücher.example/ü",
        "https://x.example/a_(b)",
        "https://x.example/a)b(",
        "https://x.example/?q[]=1&copy;=2&amp;x#*_`\"'",
        "https://x.example/%zz/%20 <y>",
        "http://[2001:db8::1]:8080/x",
    ],
)
def test_any_anchor_and_address_come_out_exactly(anchor: str, url: str) -> None:
    after = splice("First one. Second one.", Edit(1, 1, "Wow!{anchor}."), url=url, anchor=anchor)
    (link,) = links(after)
    assert (link.text, link.href, link.title) == (anchor, href_of(url), None)
    assert plain_text(after) == f"First one. Wow!{anchor}. Second one."


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="{}"), min_size=1, max_size=30
    )
)
def test_any_words_come_out_as_they_went_in(words: str) -> None:
    after = splice(
        "First one. Second one.", Edit(1, 1, f"x {words} {{anchor}} {words}."), url=URL, anchor="the anchor"
    )
    assert plain_text(after) == f"First one. x {words} the anchor {words}. Second one."


def test_line_ends_and_spaces_stay() -> None:
    text = ARTICLE.replace("\n", "\r\n")
    after = splice(text, Edit(4, 2, "See also {anchor}."), url=URL, anchor=ANCHOR)
    assert f"after it boils. See also [{ANCHOR}]({URL}).  \r\nThen pour" in after
    assert after.replace(f" See also [{ANCHOR}]({URL}).", "") == text


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Edit(9, 1, "See {anchor}."), "no paragraph 9"),
        (Edit(0, 1, "See {anchor}."), "no paragraph 0"),
        (Edit(1, 0, "See {anchor}."), "there is no 0"),
        (Edit(1, 7, "See {anchor}."), "there is no 7"),
        (Edit(1, 1, "See that."), "does not contain"),
        (Edit(1, 1, "See supercoffee grinders2."), "does not contain"),
        (Edit(1, 1, "See {anchor}"), "must end"),
        (Edit(1, 1, "See\n{anchor}."), "one line"),
        (Wrap(3, 0, 5), "not the anchor"),
    ],
)
def test_an_impossible_edit_is_refused_with_its_reason(edit: Edit | Wrap, reason: str) -> None:
    with pytest.raises(BadEdit, match=reason):
        splice(ARTICLE, edit, url=URL, anchor=ANCHOR)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x.example", "/relative", "https://", "//x.example", ""]
)
def test_only_a_full_web_address_can_be_a_target(url: str) -> None:
    with pytest.raises(BadEdit, match="full http"):
        splice(ARTICLE, Edit(1, 1, "See {anchor}."), url=url, anchor=ANCHOR)


def test_places_are_finished_sentences_of_paragraphs_with_room() -> None:
    assert {place.paragraph for place in places(ARTICLE)} == {1, 2, 3, 4}
    full = "A sentence that is long enough has [one](/a), [two](/b) and [three](/c) links in it."
    assert places(full) == []
    assert places("Too short.") == []
    assert places("- A list item with very many words in it does not take any link at all.") == []
    assert places("The steps that you should follow at home are these three:\n\n1. Do.") == []


def test_an_edit_is_told_again_from_the_two_texts() -> None:
    edits: list[Edit | Wrap] = [
        Edit(2, 3, "See also {anchor}."),
        Edit(4, 1, "{anchor} too."),
        *standing(ARTICLE, ANCHOR),
    ]
    for edit in edits:
        assert edit_made(ARTICLE, splice(ARTICLE, edit, url=URL, anchor=ANCHOR)) == edit
    assert edit_made(ARTICLE, ARTICLE) is None
