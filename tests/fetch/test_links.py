"""What a look at a published page says: the link as sold, or in words what is wrong."""

import pytest

from models.orders.care.guarantee import Promised
from tasks.fetch import Page
from tasks.links import judge

PAGE = "https://publication.example/articles/water"
TARGET = "https://shop.example/guide?a=1&b=2"
LINK = '<a href="https://shop.example/guide?a=1&amp;b=2" rel="sponsored">soft <em>water</em></a>'
HEAD = f'<link rel="canonical" href="{PAGE}">'
SOLD = Promised(PAGE, TARGET, "soft water", "sponsored")


def seen(html: str, *, status: int = 200, robots: str = "", content_type: str = "text/html") -> Page:
    return Page(PAGE, status, html.encode(), content_type, robots)


@pytest.mark.parametrize(
    "html",
    [
        HEAD + LINK,
        LINK,
        HEAD + LINK.replace('rel="sponsored"', 'rel="Sponsored noopener"'),
        HEAD + LINK.replace("soft ", "soft\n  "),
        HEAD + '<meta name="robots" content="index, follow, max-snippet:-1">' + LINK,
        HEAD.replace(PAGE, "/articles/water/") + LINK,
        HEAD + '<a href="https://shop.example/guide?a=1&b=2">elsewhere</a>' + LINK,
    ],
)
def test_a_link_as_it_was_sold_is_in_place(html: str):
    sight = judge(seen(html), SOLD)
    assert sight.problem is None
    assert sight.found["anchor"] == "soft water"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (seen(HEAD + LINK, status=404), "answers with 404"),
        (seen(HEAD + LINK, status=503), "answers with 503"),
        (seen(HEAD), "has no link to"),
        (seen(HEAD + LINK.replace("guide", "other")), "has no link to"),
        (seen(HEAD + LINK.replace("water", "drinks")), "reads “soft drinks”"),
        (seen(HEAD + LINK.replace(' rel="sponsored"', "")), "rel “” instead of “sponsored”"),
        (seen(HEAD + LINK.replace("sponsored", "sponsored nofollow")), "rel “sponsored nofollow”"),
        (seen(HEAD + '<meta name="robots" content="noindex">' + LINK), "asks search engines"),
        (seen(HEAD + '<META NAME="Googlebot" CONTENT="NONE">' + LINK), "asks search engines"),
        (seen(HEAD + LINK, robots="noindex, nofollow"), "asks search engines"),
        (seen(HEAD + LINK, robots="googlebot: noindex"), "asks search engines"),
        (
            seen('<link rel="canonical" href="https://copy.example/water">' + LINK),
            "calls https://copy.example",
        ),
    ],
)
def test_whatever_differs_from_what_was_sold_is_said(page: Page, words: str):
    assert words in (judge(page, SOLD).problem or "")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (seen(HEAD), None),
        (seen(HEAD, status=410), "answers with 410"),
        (seen(HEAD, robots="googlebot: noindex"), "asks search engines"),
        (seen('<link rel="canonical" href="https://copy.example/water">'), "calls https://copy.example"),
    ],
)
def test_of_an_ordered_article_the_page_itself_has_to_be_there_and_be_found(page: Page, words: str | None):
    sight = judge(page, Promised(PAGE, "", "", "sponsored"))
    assert sight.problem is None if words is None else words in (sight.problem or "")
    assert "href" not in sight.found


def test_a_page_in_an_unknown_charset_is_still_read():
    assert judge(seen(HEAD + LINK, content_type="text/html; charset=klingon"), SOLD).problem is None
