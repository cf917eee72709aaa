"""Quality control of a placed link: what passes, and everything that must not."""

import json
from collections.abc import Callable

import pytest

from models.orders.quality import (
    QcReport,
    anchor_obstacles,
    check_integration,
    order_obstacles,
    registrable_domain,
)
from models.orders.quality.obstacles import url_obstacles
from models.orders.text.edits import Edit, splice, standing
from tests.writing.articles import ANCHOR, ARTICLE, URL

LINK = f"[{ANCHOR}]({URL})"
GOOD = splice(ARTICLE, Edit(2, 3, "For more background, read about {anchor}."), url=URL, anchor=ANCHOR)
BAG = "[an opened bag](https://roaster.example.com/bags)"


def check(after: str, before: str = ARTICLE) -> QcReport:
    return check_integration(before, after, url=URL, anchor=ANCHOR)


def failed(after: str) -> set[str]:
    return {found.name for found in check(after).failures}


def test_a_spliced_sentence_passes_every_check() -> None:
    report = check(GOOD)
    assert report.passed, report.failures
    assert len(report.checks) >= 20
    assert len({found.name for found in report.checks}) == len(report.checks)


def test_a_wrapped_anchor_passes_every_check() -> None:
    (wrap,) = standing(ARTICLE, ANCHOR)
    assert check(splice(ARTICLE, wrap, url=URL, anchor=ANCHOR)).passed


def test_a_link_passes_on_windows_line_ends() -> None:
    before = ARTICLE.replace("\n", "\r\n")
    assert check(GOOD.replace("\n", "\r\n"), before).passed


def swap(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new, 1)


# What a writer, model or person, may hand back instead of what was ordered; and a check that must see it.
MISBEHAVIOURS: dict[str, tuple[str, str]] = {
    "nothing done": (ARTICLE, "one_link"),
    "empty answer": ("", "one_link"),
    "words without the link": (swap(LINK, ANCHOR), "one_link"),
    "typo fixed elsewhere": (swap("go stale", "goes stale"), "words_kept"),
    "word dropped in the same paragraph": (swap("cool, dark and closed", "cool and closed"), "rest_equal"),
    "comma added in the same paragraph": (swap("cool,", "cool, very,"), "rest_equal"),
    "the sentence before continued": (swap("tight.", "tight, too."), "whole_sentence"),
    "a link put into a sentence": (swap("cut evenly", f"such as {LINK} cut evenly", ARTICLE), "whole_sentence"),
    "space made a no-break space": (swap("go stale", "go\u00a0stale"), "visible"),
    "zero-width space in the new words": (swap("For more", "For\u200b more"), "visible"),
    "zero-width joiner in the anchor": (swap(f"[{ANCHOR}]", "[coffee\u200d grinders]"), "anchor"),
    "right-to-left override": (swap("read about", "read \u202eabout"), "visible"),
    "invisible letters by entity": (swap("read about", "read&#8203; about"), "visible"),
    "braille blank": (swap("read about", "read\u2800about"), "visible"),
    "byte order mark": ("\ufeff" + GOOD, "visible"),
    "look-alike letters": (swap("background", "b\u0430ckground"), "one_alphabet"),
    "tracking parameter": (swap(URL, URL + "?utm_source=galley"), "target"),
    "another address": (swap(URL, "https://evil.example/"), "target"),
    "another scheme": (swap(URL, URL.replace("https", "http")), "target"),
    "trailing slash": (swap(URL, URL + "/"), "target"),
    "anchor in capitals": (swap(f"[{ANCHOR}]", "[Coffee Grinders]"), "anchor"),
    "anchor longer": (swap(f"[{ANCHOR}]", "[good coffee grinders]"), "anchor"),
    "anchor in bold": (swap(f"[{ANCHOR}]", f"[**{ANCHOR}**]"), "anchor"),
    "anchor as code": (swap(f"[{ANCHOR}]", f"[`{ANCHOR}`]"), "anchor"),
    "title attribute": (swap(f"({URL})", f'({URL} "buy now")'), "no_title"),
    "old link hijacked": (swap(BAG, f"[an opened bag]({URL})", ARTICLE), "links_kept"),
    "old link's words taken": (swap(BAG, f"[{ANCHOR}]({URL})", ARTICLE), "links_kept"),
    "old link lost": (swap(BAG, "an opened bag"), "links_kept"),
    "old link given a title": (swap("com/bags)", 'com/bags "x")'), "links_kept"),
    "two links": (swap("tight.", f"tight. See also {LINK}."), "one_link"),
    "a link of the writer's own": (swap("tight.", "tight ([source](https://w.example))."), "one_link"),
    "automatic link": (swap(LINK, f"{ANCHOR} <{URL}>"), "no_html"),
    "link as an image": (swap(LINK, f"!{LINK}"), "one_link"),
    "link around an image": (swap(f"[{ANCHOR}]", f"[![{ANCHOR}](x.png)]"), "anchor"),
    "reference-style definition": (swap(LINK, f"[{ANCHOR}]") + f"\n[{ANCHOR}]: {URL}\n", "rest_equal"),
    "collapsed reference": (swap(LINK, f"[{ANCHOR}][g]") + f"\n[g]: {URL}\n", "rest_equal"),
    "definition replaced": (swap("https://notes.example.com/", URL), "rest_equal"),
    "HTML link": (swap(LINK, f'<a href="{URL}">{ANCHOR}</a>'), "no_html"),
    "HTML beside the link": (swap("read about", "read <b>about</b>"), "no_html"),
    "HTML comment": (swap("read about", "read <!-- about -->"), "no_html"),
    "script address": (swap(URL, "javascript:alert(1)"), "no_script"),
    "script address beside the link": (swap("read about", "[read](javascript:x) about"), "no_script"),
    "data address": (swap("read about", "[read](data:text/html,x) about"), "no_script"),
    "code fence around it all": (f"```markdown\n{GOOD}\n```\n", "one_paragraph"),
    "a word before the text": (f"Here is the updated article:\n\n{GOOD}", "one_paragraph"),
    "a word after the text": (f"{GOOD}\nI hope this helps.\n", "one_paragraph"),
    "end cut off": (GOOD[: GOOD.index("## Water")], "words_kept"),
    "last line cut off": (GOOD.rstrip("\n"), "line_ends"),
    "blank line lost": (swap("## Beans\n\n", "## Beans\n"), "line_ends"),
    "CRLF lost": (GOOD.replace("\n", "\r\n"), "line_ends"),
    "hard break lost": (swap("boils.  \n", "boils.\n"), "trailing_space"),
    "space added at a line's end": (swap("boils.  \n", "boils.   \n"), "trailing_space"),
    "paragraph rewrapped": (swap("faster. Keep them\ncool", "faster. Keep them cool"), "line_ends"),
    "paragraph split": (swap("tight. For more", "tight.\n\nFor more"), "one_paragraph"),
    "link in a heading": (swap("## Beans", f"## Beans and {LINK}", ARTICLE), "body"),
    "link in a list": (swap("Buy little.", f"Buy little {LINK}.", ARTICLE), "body"),
    "link in a table": (swap("| coarse |", f"| coarse {LINK} |", ARTICLE), "body"),
    "link in the first sentence": (swap("water is hot", f"water of {LINK} is hot", ARTICLE), "not_first_sentence"),
    "a new first sentence": (swap("Good coffee", f"See {LINK}. Good coffee", ARTICLE), "not_first_sentence"),
    "heading reworded": (swap("## Beans", "## The beans"), "headings"),
    "heading's level changed": (swap("## Beans", "### Beans"), "headings"),
    "front matter changed": (swap("title: A quiet cup", "title: A loud cup"), "front_matter"),
    "front matter lost": (GOOD.split("---\n", 2)[2], "front_matter"),
    "two new sentences": (swap("For more background", "This is new. For more background"), "new_sentences"),
    "too many words": (swap("For more background", "For more " + "and more " * 12 + "background"), "new_words"),
    "two paragraphs changed": (swap("blades do not.", "blades really do not."), "one_paragraph"),
    "table changed": (swap("| coarse |", "| fine, coarse |"), "one_paragraph"),
    "code changed": (swap("15 g", "15 g or 16 g"), "one_paragraph"),
    "list changed": (swap("- Buy little.", "- Buy very little."), "one_paragraph"),
    "paragraphs swapped": (swap("## Grinding", "## Water", swap("## Water", "## Grinding")), "headings"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_every_misbehaviour_is_refused(name: str) -> None:
    after, expected = MISBEHAVIOURS[name]
    report = check(after)
    assert not report.passed
    assert expected in {found.name for found in report.failures}, report.failures
    assert all(found.detail for found in report.failures)


def test_each_check_is_the_reason_for_some_refusal() -> None:
    seen = {name for after, _ in MISBEHAVIOURS.values() for name in failed(after)}
    names = {found.name for found in check(GOOD).checks}
    assert names - seen == {"paragraph_links"}


def test_a_second_link_to_the_domain_is_refused() -> None:
    before = ARTICLE.replace("https://roaster.example.com/bags", "https://www.example.org/")
    after = splice(before, Edit(3, 1, "See also {anchor}."), url=URL, anchor=ANCHOR)
    assert [found.name for found in check(after, before).failures] == ["one_per_domain"]


def test_a_fourth_link_in_a_paragraph_is_refused() -> None:
    before = "First.\n\nSee [a](/a), [b](/b) and [c](/c) there."
    after = splice(before, Edit(2, 1, "See also {anchor}."), url=URL, anchor=ANCHOR)
    assert [found.name for found in check(after, before).failures] == ["paragraph_links"]


def test_an_address_that_is_no_web_address_is_refused_even_when_ordered() -> None:
    after = ARTICLE.replace("blades do not.", "blades do not. See [this](mailto:a@b.example).")
    report = check_integration(ARTICLE, after, url="mailto:a@b.example", anchor="this")
    assert [found.name for found in report.failures] == ["target"]


def test_a_report_survives_being_stored() -> None:
    report = check(ARTICLE)
    assert QcReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report
    assert "0 links were added" in report.reason


def test_a_domain_is_what_somebody_registered() -> None:
    assert registrable_domain("https://www.shop.example.co.uk:8080/x") == "example.co.uk"
    assert registrable_domain("https://a.github.io/x") == "a.github.io"
    assert registrable_domain("https://WWW.BÜCHER.de/") == "xn--bcher-kva.de"
    assert registrable_domain("http://127.0.0.1/x") == "127.0.0.1"
    assert registrable_domain("/relative") == registrable_domain("mailto:a@b.example") == ""


def test_an_order_is_refused_before_payment_with_every_reason() -> None:
    assert order_obstacles(ARTICLE, url=URL, max_links=2) == []
    assert order_obstacles(ARTICLE, url="https://sub.example.com/", max_links=None) == [
        "This article already links to example.com."
    ]
    assert order_obstacles(ARTICLE, url=URL, max_links=1) == [
        "This article already has 1 outgoing links, and its limit is 1."
    ]
    assert order_obstacles("# Only a heading\n\n- and a list\n", url=URL, max_links=5) == [
        "This article has no paragraph that could take a link."
    ]


@pytest.mark.parametrize(
    "anchor",
    [
        "",
        "!!!",
        " x",
        "a  b",
        "a\nb",
        "word " * 13,
        "x" * 101,
        "One. Two",
        "zero\u200bwidth",
        "no\u00a0break",
        "p\u0430ypal",
    ],
)
def test_anchors_that_could_never_pass_are_refused(anchor: str) -> None:
    assert anchor_obstacles(anchor)


def test_ordinary_anchors_and_addresses_meet_no_obstacle() -> None:
    for anchor in (
        "coffee grinders",
        "Dr. Smith's guide",
        "C++ & <b>tags</b>",
        "What is a CRM?",
        "[weird] *anchor*_x",
    ):
        assert anchor_obstacles(anchor) == []
    assert url_obstacles(URL) == []
    assert url_obstacles("https://x.example/a b")
    assert url_obstacles("javascript:alert(1)")


@pytest.mark.parametrize("change", [str.upper, str.title, lambda text: text[::-1]])
def test_a_text_of_another_shape_is_refused_and_never_an_error(change: Callable[[str], str]) -> None:
    assert not check(change(GOOD)).passed
