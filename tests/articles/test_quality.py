"""Which part of an article is at fault: the rules that one part can break by itself."""

import pytest

from models.orders.quality import check_part
from tests.articles.author import paragraphs

GOOD = "\n\n".join(paragraphs(1))


def test_a_good_part_passes() -> None:
    report = check_part(GOOD, [])
    assert report.passed, report.reason


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("no_other_links", f"See [our shop](https://shop.example) today.\n\n{GOOD}"),
        ("claims", f"It is clinically proven and safe for every kettle.\n\n{GOOD}"),
        ("leftovers", f"As an AI, I like kettles very much.\n\n{GOOD}"),
        ("complete", f"{GOOD}\n\nAnd then the lid"),
        ("paragraphs", " ".join(paragraphs(1, 400))),
        ("visible", GOOD.replace("kettle", "ket\u200btle").replace("the lid", "the l\u200bid", 1)),
        ("no_html", f"{GOOD}\n\n<b>Rinse it</b> twice a year."),
        ("readability", "Institutional considerations necessitate multidimensional recharacterisation. " * 6),
        ("complete", ""),
    ],
)
def test_a_fault_is_found_in_the_part_that_has_it(rule: str, part: str) -> None:
    assert rule in {check.name for check in check_part(part, []).failures}


def test_a_part_that_was_copied_from_another_article_is_found() -> None:
    other = f"{GOOD}\n\n" + "\n\n".join(paragraphs(4))
    assert [check.name for check in check_part(GOOD, [other]).failures] == ["original"]
    assert check_part(GOOD, ["\n\n".join(paragraphs(4))]).passed
