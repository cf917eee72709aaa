"""Questions about a text: its outline, links, words and beginning."""

import re

from markdown_it.common.normalize_url import normalizeLink

from models.orders.text.markdown.parsing import Block, Link, parse

_WORD = re.compile(r"\w+(?:['\u2019.-]\w+)*")
_HOST = re.compile(r"(?:https?:)?//(?:[^/?#@]*@)?([^/?#]*)", re.IGNORECASE)


def outline(markdown: str) -> list[Block]:
    """The top-level blocks in order, from the heading to the last paragraph."""
    return list(parse(markdown).blocks)


def links(markdown: str) -> list[Link]:
    """Every link of the text, also those in lists, quotes and tables, in order. Images are not links."""
    return parse(markdown).links


def headings(markdown: str) -> list[Block]:
    return [block for block in parse(markdown).blocks if block.kind == "heading"]


def plain_text(markdown: str) -> str:
    """The words a reader reads, a blank line between blocks; code is left out."""
    return "\n\n".join(b.text for b in parse(markdown).blocks if b.text and b.kind not in {"code", "html"})


def words(text: str) -> list[str]:
    """The words of plain text. “don't”, “long-term” and “3.5” are one each."""
    return _WORD.findall(text)


def word_count(markdown: str) -> int:
    return len(words(plain_text(markdown)))


def first_paragraph(markdown: str) -> str:
    """The text of the first paragraph that says something (an image alone does not)."""
    return next((b.text for b in parse(markdown).paragraphs if is_prose(b)), "")


def summary(markdown: str, chars: int = 160) -> str:
    """The beginning of the first paragraph in at most `chars` characters, cut between words."""
    text = " ".join(first_paragraph(markdown).split())
    if len(text) <= chars:
        return text
    return text[: chars - 1].rsplit(" ", 1)[0].rstrip(" ,;:.-\u2013\u2014") + "…"


def is_prose(block: Block) -> bool:
    """Whether a paragraph has words of its own, beside images and links."""
    if block.kind != "paragraph":
        return False
    rest = block.source
    for span in sorted(block.spans, key=lambda s: s.start, reverse=True):
        if span.kind in {"link", "image"}:
            rest = rest[: span.start] + rest[span.end :]
    return bool(_WORD.search(rest))


def href_of(url: str) -> str:
    """The URL as every CommonMark renderer writes it: host in punycode, the unsafe percent-encoded.

    Compare links by this form; it is the same again when applied twice.
    """
    found = _HOST.match(url)
    if found and not found.group().isascii():  # the library's punycode takes capitals for other letters
        url = url[: found.start(1)] + found.group(1).lower() + url[found.end() :]
    return normalizeLink(url)


def is_outgoing(href: str) -> bool:
    """Whether a link names another host: `https://…` or `//…`."""
    return href.lower().startswith(("http://", "https://", "//"))


def label_end(link: str) -> int:
    """Where the label's closing bracket stands in the source `[label](…)` or `[label][…]` of a link."""
    depth = 0
    at = 0
    while at < len(link):
        if link[at] == "\\":
            at += 1
        elif link[at] == "[":
            depth += 1
        elif link[at] == "]":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return len(link) - 1
