"""An edit of an article, said as data and applied as a splice, so that every other byte stays by construction.

Nobody, person or model, hands back a whole article. They say where one sentence goes (`Edit`) or which words
become the link (`Wrap`), and `splice` writes it. Paragraphs and sentences count from 1.
"""

import re
from dataclasses import dataclass

from models.orders.text.markdown import Block, Document, href_of, is_prose, parse, words
from models.orders.text.sentences import is_finished, sentences

MAX_LINKS_IN_PARAGRAPH = 3
_MIN_WORDS = 8
_MARKUP = re.compile(r"[\\`*_\[\]<~|]|&(?=[#\w])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


class BadEdit(ValueError):
    """The edit cannot be made in this text; the message says why, in words fit for whoever proposed it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One new sentence, after `after_sentence` sentences of top-level paragraph `paragraph`.

    `sentence` is plain text, whatever is in it. The link stands at `{anchor}`, or else where the anchor's own
    words first stand.
    """

    paragraph: int
    after_sentence: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Wrap:
    """Words that stand there already, `[start, end)` in the paragraph's source, become the link."""

    paragraph: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """A gap between sentences that can take a new one."""

    paragraph: int
    after_sentence: int
    is_last: bool
    """Whether the paragraph ends here, where an added sentence interrupts nothing."""


def splice(markdown: str, edit: Edit | Wrap, *, url: str, anchor: str) -> str:
    """The text with the edit made. Raises `BadEdit` where there is no such place or the words cannot be a link."""
    document = parse(markdown)
    block = document.paragraph(edit.paragraph)
    if block is None:
        raise BadEdit(
            f"The text has {len(document.paragraphs)} paragraphs; there is no paragraph {edit.paragraph}."
        )
    if isinstance(edit, Wrap):
        return _wrap(document, block, edit, url=url, anchor=anchor)
    ends = [end for _, end in sentences(block)]
    if not 1 <= edit.after_sentence <= len(ends):
        raise BadEdit(
            f"Paragraph {edit.paragraph} has {len(ends)} sentences; there is no {edit.after_sentence}."
        )
    at = document.position(block, ends[edit.after_sentence - 1])
    return f"{markdown[:at]} {sentence_markdown(edit.sentence, url=url, anchor=anchor)}{markdown[at:]}"


def _wrap(document: Document, block: Block, edit: Wrap, *, url: str, anchor: str) -> str:
    if block.source[edit.start : edit.end] != anchor:
        raise BadEdit("The words at that place are not the anchor text.")
    if not _is_free(block, edit.start, edit.end):
        raise BadEdit("The words at that place are part of a link, an image, code or markup.")
    start, end = document.position(block, edit.start), document.position(block, edit.end)
    text = document.markdown
    return f"{text[:start]}[{text[start:end]}]({destination(url)}){text[end:]}"


def sentence_markdown(sentence: str, *, url: str, anchor: str) -> str:
    """A plain sentence as Markdown, with the anchor linked and everything else shown literally."""
    sentence = sentence.strip()
    if re.search(r"[\t\r\n]", sentence):
        raise BadEdit("The sentence must be one line.")
    before, after = _around(sentence, anchor)
    if not is_finished(before + anchor + after):
        raise BadEdit("The sentence must end with a full stop, a question mark or an exclamation mark.")
    lead = re.sub(r"!\Z", r"\\!", escape(before))  # "![" would be an image
    return f"{lead}[{escape(anchor)}]({destination(url)}){escape(after)}"


def _around(sentence: str, anchor: str) -> tuple[str, str]:
    if not anchor.strip() or anchor != anchor.strip():
        raise BadEdit("The anchor text is empty or has spaces around it.")
    if "{anchor}" in sentence:
        before, _, after = sentence.partition("{anchor}")
        return before, after
    found = re.search(rf"(?<!\w){re.escape(anchor)}(?!\w)", sentence)
    if found is None:
        raise BadEdit("The sentence does not contain the anchor text as ordered.")
    return sentence[: found.start()], sentence[found.end() :]


def escape(text: str) -> str:
    """Plain text as Markdown that renders as exactly that text, anywhere but at the start of a line."""
    return _MARKUP.sub(lambda found: "\\" + found.group(), text)


def destination(url: str) -> str:
    """A link destination that renders as `href_of(url)`: in angle brackets where parentheses could end it early."""
    href = href_of(url)
    if not re.match(r"https?://[^/?#]", href):
        raise BadEdit("The target must be a full http or https address.")
    href = _ENTITY.sub(r"\\&", href)
    return f"<{href}>" if re.search(r"[()]", href) else href


def places(markdown: str, *, max_links_in_paragraph: int = MAX_LINKS_IN_PARAGRAPH) -> list[Place]:
    """Every gap that can take a sentence with a link: after a finished sentence of a top-level paragraph of prose
    that has words enough to carry one, and fewer links than the limit.
    """
    found = []
    for block in parse(markdown).paragraphs:
        if (
            not is_prose(block)
            or len(block.links) >= max_links_in_paragraph
            or len(words(block.text)) < _MIN_WORDS
        ):
            continue
        bounds = sentences(block)
        for count, (start, end) in enumerate(bounds, start=1):
            if is_finished(block.source[start:end]):
                found.append(Place(block.number, count, is_last=count == len(bounds)))
    return found


def standing(
    markdown: str, anchor: str, *, max_links_in_paragraph: int = MAX_LINKS_IN_PARAGRAPH
) -> list[Wrap]:
    """Where the anchor's exact words already stand in a paragraph, free to become a link, outside the first
    sentence of the text.
    """
    pattern = re.compile(rf"(?<![\w\\!\[\]/@.-]){re.escape(anchor)}(?![\w\[\]/@-])")
    found = []
    paragraphs = [block for block in parse(markdown).paragraphs if is_prose(block)]
    for block in paragraphs:
        if len(block.links) >= max_links_in_paragraph:
            continue
        first = sentences(block)[0][1] if block is paragraphs[0] else 0
        found += [
            Wrap(block.number, *match.span())
            for match in pattern.finditer(block.source, first)
            if _is_free(block, *match.span())
        ]
    return found


def _is_free(block: Block, start: int, end: int) -> bool:
    """Whether nothing there is link, image or code, and no emphasis begins or ends within."""
    for span in block.spans:
        apart = end <= span.start or start >= span.end
        inside_emphasis = span.kind == "emphasis" and span.start < start and end < span.end
        if not apart and not inside_emphasis:
            return False
    return True
