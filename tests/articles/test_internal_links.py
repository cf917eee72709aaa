"""Links to the site's other articles: by program, relevant, one in a paragraph, and the same each time."""

import pytest

from models.orders.text.markdown import links, render
from models.orders.writing.new_articles import Neighbour, slug_of
from tasks.writing.internal_links import linked

TEXT = """\
A kettle asks for little. Fill it with fresh water and empty it at night, and it serves for many years.

## Scale

Where the tap water is hard, chalk settles on the element and the kettle takes longer to boil. Hard water leaves a
ring as well, which a cloth takes off while it is fresh.

## Boiling

Bring the water to the boil once and pour it at once, because a second boil drives out more of the air in it.
"""


def neighbour(slug: str, title: str, keyword: str, summary: str = "") -> Neighbour:
    return Neighbour(f"/articles/pour/{slug}", title, title, keyword, summary, "")


HARD = neighbour("hard", "What Your Tap Does to Coffee", "hard water", "Chalk and hard water in a kettle.")
BOIL = neighbour(
    "boil", "Water off the [boil]", "boiling point", "When to pour after water has come to the boil."
)
RUNNING = neighbour("run", "Marathon shoes", "running shoes", "Soles and laces.")


def test_words_that_stand_there_become_the_link_and_others_get_a_sentence() -> None:
    found = linked(TEXT, [BOIL, HARD, RUNNING], about="descaling a kettle with hard water")
    assert set(found.hrefs) == {HARD.href, BOIL.href}
    assert "[Hard water](/articles/pour/hard) leaves" in found.markdown
    assert "“[Water off the \\[boil\\]](/articles/pour/boil)”." in found.markdown
    assert '<a href="/articles/pour/boil">Water off the [boil]</a>' in render(found.markdown)


def test_everything_but_the_links_stays_and_the_same_question_has_the_same_answer() -> None:
    found = linked(TEXT, [BOIL, HARD], about="kettle")
    assert found == linked(TEXT, [BOIL, HARD], about="kettle")
    assert [one.block_index for one in links(found.markdown)] == sorted(
        {one.block_index for one in links(found.markdown)}
    )
    assert found.markdown.startswith(TEXT.split("\n", maxsplit=1)[0])


def test_what_is_not_related_is_not_linked() -> None:
    assert linked(TEXT, [RUNNING], about="descale a kettle").hrefs == ()
    assert linked(TEXT, [], about="descale a kettle").markdown == TEXT


def test_in_a_language_without_words_of_ours_the_title_stands_alone() -> None:
    found = linked(TEXT, [BOIL], about="kettle boil", language="de")
    assert "it. “[Water off" in found.markdown


@pytest.mark.parametrize(
    ("topic", "slug"),
    [
        ("How to descale a kettle!", "how-to-descale-a-kettle"),
        ("Crème brûlée", "creme-brulee"),
        ("New", ""),
        ("北京", ""),
    ],
)
def test_a_topic_becomes_an_address(topic: str, slug: str) -> None:
    assert slug_of(topic) == slug
