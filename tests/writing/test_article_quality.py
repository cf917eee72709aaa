"""Quality control of a whole new article, readability and likeness."""

import pytest

from models.orders.quality import QcReport, check_article
from models.orders.text.readability import reading_ease, syllables
from models.orders.text.similarity import most_alike, shingles
from tests.writing.articles import demo_articles

INTERNAL = ["https://site.example/beans", "https://site.example/water", "https://site.example/milk"]

DRAFT = """\
# Coffee grinders for small kitchens

Most coffee grinders are made for bars. At home you need less, and you can have it for less.

## Burrs or blades

Blades chop the beans, and burrs crush them to one size. That is why burrs are worth the money, if
you buy [beans worth grinding](https://site.example/beans).

## Keeping it clean

Old oil turns sour. Brush the burrs once a week, and never wash them with water. The same is true
of [the tap you fill the kettle from](https://site.example/water): a little care goes a long way.

- Brush it.
- Wipe it.
"""
DRAFT_END = "\nThat is all it takes.\n"
GOOD = DRAFT + DRAFT_END


def check(markdown: str, *, others: tuple[str, ...] = (), keyword: str = "coffee grinder") -> QcReport:
    return check_article(
        markdown, keyword=keyword, min_words=60, max_words=200, internal_links=INTERNAL, others=others
    )


def test_a_decent_article_passes() -> None:
    report = check(GOOD)
    assert report.passed, report.failures


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        (GOOD + "\nIt is so very nice. " * 60, "length"),
        ("# Coffee grinders\n\nToo short.\n", "length"),
        (GOOD.replace("## Keeping it clean", "Keeping it clean"), "sections"),
        (GOOD.replace("## Burrs", "# Burrs"), "sections"),
        (GOOD.replace("## Keeping it clean", "#### Keeping it clean"), "headings"),
        (GOOD + "\n## Last words\n", "headings"),
        (GOOD.replace("Old oil turns sour.", "Old oil turns sour. " * 60), "paragraphs"),
        (DRAFT + "\nThat is all it", "complete"),
        (GOOD.replace("offee grinders", "offee mills"), "keyword_early"),
        (GOOD.replace("Brush the burrs", "Coffee grinders, coffee grinders: brush"), "keyword_use"),
        (GOOD.replace("](https://site.example/beans)", "](https://other.example/)"), "internal_links"),
        (GOOD.replace("Brush it.", "[Brush](https://other.example/) it."), "no_other_links"),
        (GOOD.replace("Brush it.", "[Brush](/made-up) it."), "no_other_links"),
        (GOOD.replace("Brush it.", "[Click here](https://site.example/milk)."), "link_words"),
        (GOOD.replace("Brush it.", "[Beans](https://site.example/beans) too."), "link_words"),
        (GOOD.replace("Old oil turns sour.", "Deteriorating oleaginous accumulations notwithstanding, " * 12), "readability"),
        (GOOD.replace("Old oil turns sour.", "Guaranteed results for all."), "claims"),
        (GOOD.replace("Old oil turns sour.", "Doctors recommend it."), "claims"),
        (GOOD.replace("Old oil turns sour.", "It is 100% safe."), "claims"),
        (GOOD.replace("Old oil turns sour.", "It cures cancer."), "claims"),
        ("Here is your article:\n\n" + GOOD, "leftovers"),
        (GOOD.replace("Old oil turns sour.", "Ask [insert name]."), "leftovers"),
        (GOOD.replace("Old oil turns sour.", "As a language model, I know."), "leftovers"),
        (GOOD.replace("Old oil", "<b>Old oil</b>"), "no_html"),
        (GOOD.replace("Old oil", "[Old](javascript:x) oil"), "no_html"),
        (GOOD.replace("Old oil", "Old\u00a0oil"), "visible"),
        (GOOD.replace("Old oil", "\u041eld oil"), "visible"),
    ],
)  # fmt: skip
def test_each_fault_of_an_article_is_found(markdown: str, expected: str) -> None:
    report = check(markdown)
    assert expected in {found.name for found in report.failures}, report.failures


def test_code_about_html_is_no_html() -> None:
    report = check(DRAFT + "\n```html\n<b>javascript:x</b>\n```\n" + "\nWrite `<b>` there." + DRAFT_END)
    assert report.passed, report.failures


def test_an_article_like_another_of_the_site_is_refused() -> None:
    report = check(GOOD, others=("# Something else\n\nEntirely.", GOOD.replace("small", "tiny")))
    assert [found.name for found in report.failures] == ["original"]
    assert check(GOOD, others=("# Something else\n\nEntirely.",)).passed


def test_likeness_tells_copies_from_strangers() -> None:
    text = " ".join(f"word{n}" for n in range(200))
    half = " ".join([f"word{n}" for n in range(100)] + [f"other{n}" for n in range(100)])
    assert most_alike(text, [text]).resemblance == 1.0
    likeness = most_alike(half, ["nothing of the sort in here", text])
    assert likeness.index == 1
    assert 0.45 < likeness.containment < 0.55
    assert most_alike(text, ["nothing of the sort in here at all"]).index == -1
    assert len(shingles("one two three")) == 1
    assert shingles("") == frozenset()


def test_the_demo_articles_are_not_like_each_other() -> None:
    texts = [text for _, text in demo_articles()]
    for at, text in enumerate(texts):
        assert most_alike(text, texts[:at] + texts[at + 1 :]).containment < 0.05


def test_reading_ease_follows_flesch() -> None:
    # Six words, one sentence, six syllables: 206.835 - 1.015 x 6 - 84.6 x 1.
    assert reading_ease("The cat sat on the mat.") == pytest.approx(116.145)
    assert reading_ease("") == 0.0


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("coffee", 2),
        ("table", 2),
        ("make", 1),
        ("walked", 1),
        ("wanted", 2),
        ("boxes", 2),
        ("beautiful", 3),
    ],
)
def test_syllables_are_counted_as_spoken(word: str, count: int) -> None:
    assert syllables(word) == count
