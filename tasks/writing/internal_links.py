"""Links from a new article to others of its site: chosen by TF-IDF and put in by program, never by a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.orders.text.edits import escape, places, standing
from models.orders.text.markdown import parse, plain_text, words
from models.orders.text.sentences import sentences
from models.orders.writing.new_articles import Neighbour
from tasks.writing.relevance import Relevance

MOST_LINKS: Final = 3
#: Below this cosine an article has hardly a word in common with the new one, and would help none of its readers.
FLOOR: Final = 0.02
#: What an article is about counts so much more than what it mentions.
_MENTIONED: Final = 0.25
#: A single word stands everywhere and says little of where a link leads.
_LEAST_ANCHOR_WORDS: Final = 2

_SENTENCES: Final = (
    "We go further into this in “{}”.",
    "On a related question, see “{}”.",
    "Further reading: “{}”.",
)
#: No words, where we have none in the site's language.
_PLAIN: Final = ("“{}”.",)


@dataclass(frozen=True, slots=True)
class Linked:
    """A text with links to its neighbours; `hrefs` are those that it was given, in the order of their relevance."""

    markdown: str
    hrefs: tuple[str, ...]


def linked(markdown: str, neighbours: Sequence[Neighbour], *, about: str, language: str = "en") -> Linked:
    """The article with links to the neighbours that are nearest to it, at most one in a paragraph.

    A neighbour's keyword is linked where its words stand already; else one sentence names the neighbour at the end of
    the paragraph that is nearest to it. The same arguments give the same text.
    """
    shapes = _SENTENCES if language.lower().split("-", 1)[0] == "en" else _PLAIN
    hrefs: list[str] = []
    for neighbour in _nearest(markdown, neighbours, about):
        text = _wrapped(markdown, neighbour) or _added(markdown, neighbour, shapes[len(hrefs) % len(shapes)])
        if text is not None:
            markdown = text
            hrefs.append(neighbour.href)
    return Linked(markdown, tuple(hrefs))


def _nearest(markdown: str, neighbours: Sequence[Neighbour], about: str) -> list[Neighbour]:
    if not neighbours:
        return []
    relevance = Relevance([f"{one.title} {one.topic} {one.keyword} {one.summary}" for one in neighbours])
    scores = relevance.scores({about: 1.0, plain_text(markdown): _MENTIONED})
    ranked = sorted(zip(scores, range(len(neighbours)), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [neighbours[at] for score, at in ranked[:MOST_LINKS] if score >= FLOOR]


def _wrapped(markdown: str, neighbour: Neighbour) -> str | None:
    """With the first words that name the neighbour's keyword as the link."""
    keyword = neighbour.keyword.strip()
    if len(words(keyword)) < _LEAST_ANCHOR_WORDS:
        return None
    document = parse(markdown)
    found = re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", markdown, re.IGNORECASE)
    if found is None:
        return None
    for wrap in standing(markdown, found.group(), max_links_in_paragraph=1):
        block = document.paragraph(wrap.paragraph)
        assert block is not None, "a place is in a paragraph"
        start, end = document.position(block, wrap.start), document.position(block, wrap.end)
        return f"{markdown[:start]}[{markdown[start:end]}]({neighbour.href}){markdown[end:]}"
    return None


def _added(markdown: str, neighbour: Neighbour, shape: str) -> str | None:
    """With a sentence about the neighbour after the paragraph that is nearest to it, but not after the first."""
    document = parse(markdown)
    gaps = [gap for gap in places(markdown, max_links_in_paragraph=1) if gap.is_last and gap.paragraph > 1]
    if not gaps:
        return None
    blocks = [document.paragraphs[gap.paragraph - 1] for gap in gaps]
    relevance = Relevance([" ".join((block.text, *block.heading_path)) for block in blocks])
    scores = relevance.scores({f"{neighbour.title} {neighbour.keyword}": 1.0, neighbour.summary: 0.5})
    best = max(range(len(gaps)), key=lambda at: (scores[at], -at))
    end = document.position(blocks[best], sentences(blocks[best])[-1][1])
    before, after = shape.split("{}")
    link = f"{before}[{escape(neighbour.title)}]({neighbour.href}){after}"
    return f"{markdown[:end]} {link}{markdown[end:]}"
