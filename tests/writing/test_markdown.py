"""Reading Markdown to the character, and showing it safely."""

import re
from html.parser import HTMLParser

import pytest

from models.orders.text.markdown import (
    first_paragraph,
    headings,
    href_of,
    links,
    outline,
    parse,
    plain_text,
    render,
    split_front_matter,
    summary,
    word_count,
)
from tests.writing.articles import ARTICLE

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "text <svg/onload=alert(1)> text",
    "<iframe src=https://evil.example></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\\script:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "![x](javascript:alert(1))",
    '![x](https://a.example/i.png "\\" onerror=\\"alert(1)")',
    '[x](https://a.example "\\"onmouseover=alert(1) ")',
    "<javascript:alert(1)>",
    "[r]\n\n[r]: javascript:alert(1)",
    '[r]\n\n[r]: https://a.example "\\" onclick=\\"alert(1)"',
    '```"><script>alert(1)</script>\nx\n```',
    "`<script>alert(1)</script>`",
    "# <style>*{display:none}</style>",
    "| <script> |\n|---|\n| <img onerror=alert(1)> |",
    "<div\nonclick=alert(1)>\n\n</div>",
    "<!-- --><base href=//evil.example>",
    "[x](<javascript:alert(1)>)",
    "[x](\u0001javascript:alert(1))",
]
SAFE_TAGS = {
    *("a", "blockquote", "br", "code", "em", "hr", "img", "li", "ol", "p", "pre", "strong", "ul"),
    *("table", "tbody", "td", "th", "thead", "tr", "h1", "h2", "h3", "h4", "h5", "h6"),
}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def tags(html: str) -> list[tuple[str, dict[str, str]]]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_could_run_survives_rendering(payload: str) -> None:
    for tag, attributes in tags(render(payload, rel="sponsored")):
        assert tag in SAFE_TAGS
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src"):
            address = re.sub(r"[\x00-\x20]", "", attributes.get(name, "")).lower()
            assert not re.match(r"(javascript|vbscript|data|file):", address)


def test_rel_goes_on_outgoing_links_only() -> None:
    found = [a for tag, a in tags(render(ARTICLE, rel="sponsored")) if tag == "a"]
    assert [a.get("rel") for a in found] == ["sponsored", None]


def test_rel_may_be_asked_for_each_link() -> None:
    html = render(
        "[a](https://a.example) [b](//b.example)", rel=lambda href: "nofollow" if "b.ex" in href else None
    )
    assert [a.get("rel") for _, a in tags(html)[1:]] == [None, "nofollow"]


def test_front_matter_is_not_shown_and_a_rule_is_not_front_matter() -> None:
    assert "title" not in render(ARTICLE)
    assert split_front_matter("---\n\nText\n\n---\n")[0] == ""
    front, body = split_front_matter("---\r\ntitle: x\r\n---\r\nText")
    assert (front, body) == ("---\r\ntitle: x\r\n---\r\n", "Text")


def test_table_cells_are_aligned_by_class() -> None:
    assert '<td class="align-right">1</td>' in render("| a |\n|--:|\n| 1 |")


def test_the_outline_names_every_block_with_its_section() -> None:
    kinds = [(block.kind, block.heading_path) for block in outline(ARTICLE)]
    assert kinds[:3] == [("heading", ()), ("paragraph", ("A quiet cup",)), ("heading", ("A quiet cup",))]
    assert kinds[4] == ("list", ("A quiet cup", "Beans"))
    assert [kind for kind, _ in kinds[-5:]] == ["paragraph", "table", "heading", "paragraph", "code"]
    assert [block.text for block in headings(ARTICLE)] == ["A quiet cup", "Beans", "Grinding", "Water"]


def test_lines_of_blocks_count_in_the_whole_document() -> None:
    lines = ARTICLE.split("\n")
    for block in outline(ARTICLE):
        if block.kind == "heading":
            assert lines[block.start_line].endswith(block.text)


@pytest.mark.parametrize("text", [ARTICLE, ARTICLE.replace("\n", "\r\n"), ARTICLE.replace("\n", "\r")])
def test_every_character_of_a_paragraph_is_found_again_in_the_text(text: str) -> None:
    document = parse(text)
    for block in document.paragraphs:
        for offset, char in enumerate(block.source):
            at = document.position(block, offset)
            assert text[at] == char or (char == "\n" and text[at] in "\r\n")


def test_links_are_found_everywhere_with_their_words() -> None:
    found = [(link.href, link.text, link.title) for link in links(ARTICLE)]
    assert found == [
        ("https://roaster.example.com/bags", "an opened bag", None),
        ("/roasters", "a roaster", None),
    ]
    (reference,) = links("See [the *notes*][n].\n\n[n]: https://n.example 'T'")
    assert (reference.text, reference.title, reference.is_plain) == ("the notes", "T", False)


def test_html_is_its_own_kind_of_block_and_an_automatic_link_is_not_html() -> None:
    assert [b.kind for b in outline("<div>x</div>\n\n<https://x.example> is a link")] == ["html", "paragraph"]


def test_plain_text_is_what_is_read() -> None:
    assert plain_text("# A & B\n\nx *y* `z` [w](u) &lt;\n\n```\ncode\n```") == "A & B\n\nx y z w <"
    assert word_count("Don't count twice: long-term, 3.5.") == 5


def test_a_summary_ends_between_words() -> None:
    assert first_paragraph("![logo](x.png)\n\nHello there.") == "Hello there."
    assert summary(ARTICLE, 40) == "Good coffee begins before the water is…"
    assert summary("Short.") == "Short."


def test_the_form_of_an_address_is_final() -> None:
    for url in ("https://bücher.example/ü?q[]=1&copy;=2", "https://x.example/%zz a", "https://[::1]/x"):
        assert href_of(href_of(url)) == href_of(url)
