"""The basic writer: where it puts the link and what it says."""

import pytest

from models.orders.quality import check_integration
from models.orders.text.comparison import edit_made
from models.orders.text.edits import Edit, Wrap
from models.orders.text.markdown import parse
from tasks.writing.basic import Proposal, propose
from tasks.writing.relevance import Relevance, terms, url_words
from tasks.writing.wording import Shape, shape_of, wordings
from tests.writing.articles import ANCHOR, ARTICLE, URL


def place(
    anchor: str = "descaling kettles",
    *,
    text: str = ARTICLE,
    url: str = "https://shop.example.org/soft-water",
    number: int = 0,
    reasons: tuple[str, ...] = (),
    previous: tuple[Edit | Wrap, ...] = (),
    language: str = "en",
) -> Proposal | None:
    return propose(
        text,
        url=url,
        anchor=anchor,
        topic="coffee",
        number=number,
        reasons=reasons,
        previous=previous,
        language=language,
    )


def test_standing_words_are_linked_before_anything_is_added() -> None:
    proposal = place(ANCHOR, url=URL)
    assert proposal is not None
    assert proposal.method == "wrap"
    assert proposal.markdown == ARTICLE.replace("Cheap coffee grinders", f"Cheap [{ANCHOR}]({URL})")
    assert not proposal.needs_editor


def test_a_sentence_goes_to_the_paragraph_on_the_subject() -> None:
    proposal = place("soft water")
    assert proposal is not None
    assert isinstance(proposal.edit, Edit)
    block = parse(ARTICLE).paragraph(proposal.edit.paragraph)
    assert block is not None
    assert block.heading_path[-1] == "Water"
    assert proposal.score > 0.1
    assert not proposal.needs_editor


def test_an_order_on_another_subject_is_looked_at_by_an_editor_first() -> None:
    proposal = place("online poker", url="https://casino.example/roulette")
    assert proposal is not None
    assert proposal.needs_editor


def test_a_sentence_in_another_language_is_looked_at_by_an_editor_first() -> None:
    proposal = place(language="de-AT")
    assert proposal is not None
    assert proposal.needs_editor


def all_proposals() -> list[Proposal]:
    found: list[Proposal] = []
    while proposal := place(number=len(found)):
        found.append(proposal)
    return found


def test_each_number_is_another_place_until_there_is_none() -> None:
    found = all_proposals()
    places = [(p.edit.paragraph, p.edit.after_sentence) for p in found if isinstance(p.edit, Edit)]
    assert len(places) == len(set(places)) == len(found) == 11
    assert [p.edit.paragraph for p in found[:4]] != [found[0].edit.paragraph] * 4
    assert place(number=11) is None
    for proposal in found:
        url, anchor = "https://shop.example.org/soft-water", "descaling kettles"
        assert check_integration(ARTICLE, proposal.markdown, url=url, anchor=anchor).passed


def test_tries_that_follow_each_other_do_not_read_the_same() -> None:
    sentences = [p.edit.sentence for p in all_proposals()[:6] if isinstance(p.edit, Edit)]
    assert len(set(sentences)) == 6


def test_the_same_question_has_the_same_answer() -> None:
    assert place(number=2) == place(number=2)


def test_earlier_tries_told_from_stored_texts_are_not_repeated() -> None:
    first = place()
    assert first is not None
    edit = edit_made(ARTICLE, first.markdown)
    assert edit == first.edit
    second = place(number=1, previous=(edit,))
    assert second is not None
    assert (second.edit.paragraph, second.edit) != (first.edit.paragraph, first.edit)
    by_number = place(number=1)
    assert by_number is not None
    assert second.edit.paragraph == by_number.edit.paragraph


def test_too_early_moves_down_the_article() -> None:
    start = Edit(2, 1, "Related reading: {anchor}.")
    for number in range(1, 4):
        proposal = place(number=number, reasons=("too_early",), previous=(start,) * number)
        assert proposal is not None
        assert proposal.edit.paragraph > 2


def test_wrong_section_moves_to_another_section() -> None:
    first = place()
    assert first is not None
    second = place(number=1, reasons=("wrong_section",), previous=(first.edit,))
    assert second is not None
    document = parse(ARTICLE)
    sections = [document.paragraph(p.edit.paragraph) for p in (first, second)]
    assert sections[0] is not None
    assert sections[1] is not None
    assert sections[0].heading_path != sections[1].heading_path


def test_an_unnatural_anchor_gets_another_shape() -> None:
    first = place()
    assert first is not None
    second = place(number=1, reasons=("unnatural_anchor",), previous=(first.edit,))
    assert second is not None
    assert isinstance(first.edit, Edit)
    assert isinstance(second.edit, Edit)
    assert ": {anchor}" not in first.edit.sentence
    assert ": {anchor}" in second.edit.sentence
    wrapped = place(ANCHOR, url=URL)
    assert wrapped is not None
    other = place(ANCHOR, url=URL, number=1, reasons=("unnatural_anchor",), previous=(wrapped.edit,))
    assert other is not None
    assert other.method == "sentence"


def test_a_reason_that_leaves_nothing_still_gives_what_is_left() -> None:
    proposal = place(number=1, reasons=("too_early",), previous=(Edit(4, 2, "See also {anchor}."),))
    assert proposal is not None


def test_two_orders_on_one_article_do_not_say_the_same() -> None:
    first = place()
    assert first is not None
    second = place("clean kettles", text=first.markdown, url="https://other.example/kettles")
    assert second is not None
    assert isinstance(first.edit, Edit)
    assert isinstance(second.edit, Edit)
    assert first.edit.sentence != second.edit.sentence


@pytest.mark.parametrize("text", ["", "# Title\n", "- list\n- only\n", "Short.", "---\na: b\n---\n"])
def test_a_text_without_a_place_gives_nothing(text: str) -> None:
    assert place(text=text) is None


def test_an_article_that_links_the_domain_gives_nothing() -> None:
    assert place(url="https://example.com/other") is None


@pytest.mark.parametrize(
    ("anchor", "shape"),
    [
        ("community building", Shape.TOPIC),
        ("building a community", Shape.TOPIC),
        ("ergonomic office chairs", Shape.TOPIC),
        ("tips for new managers", Shape.TOPIC),
        ("project management software", Shape.TOPIC),
        ("standing desk", Shape.LABEL),
        ("apartment building", Shape.LABEL),
        ("small business", Shape.LABEL),
        ("best CRM software", Shape.LABEL),
        ("guide to SEO", Shape.LABEL),
        ("CRM", Shape.LABEL),
        ("How to choose a CRM", Shape.LABEL),
        ("What is a CRM?", Shape.LABEL),
        ("what is a CRM", Shape.LABEL),
        ("https://example.com/x", Shape.LABEL),
        ("how to choose a CRM", Shape.QUESTION),
        ("why teams fail", Shape.QUESTION),
        ("why is it so", Shape.LABEL),
        ("our pricing page", Shape.OBJECT),
        ("The Complete Guide to SEO", Shape.OBJECT),
        ("7 tips for runners", Shape.OBJECT),
        ("example.com", Shape.OBJECT),
        ("HubSpot", Shape.OBJECT),
        ("learn more about yoga", Shape.COMMAND),
        ("click here", Shape.COMMAND),
        ("here", Shape.PLACE),
    ],
)
def test_an_anchor_has_the_shape_its_grammar_gives_it(anchor: str, shape: Shape) -> None:
    assert shape_of(anchor) is shape


def test_every_wording_is_one_short_sentence_with_one_anchor() -> None:
    for anchor in ("community building", "HubSpot", "learn more", "here", "how to run", "CRM"):
        for sentence in wordings(anchor):
            assert sentence.count("{anchor}") == 1
            assert sentence.endswith(".")
            assert len(sentence.split()) <= 12


def test_an_anchor_that_ends_a_sentence_gets_no_second_stop() -> None:
    proposal = place("What is soft water?")
    assert proposal is not None
    assert "What is soft water?](https://shop.example.org/soft-water)\n" in proposal.markdown
    assert wordings("What is a CRM?")[0] == "Related reading: {anchor}"


def test_relevance_knows_word_forms_and_ignores_common_words() -> None:
    assert terms("The running shoes of a runner") == terms("run shoe runners") or "shoe" in terms(
        "The running shoes"
    )
    assert terms("about the best of it") == []
    assert url_words("https://x.example/blog/grow-a_community.html?q=1").split() == [
        "blog",
        "grow",
        "a",
        "community",
        "html",
    ]
    relevance = Relevance(["Beans are roasted.", "Water is boiled.", ""])
    scores = relevance.scores({"boiling water": 1.0})
    assert scores[1] > 0.5
    assert scores[0] == scores[2] == 0.0
