"""Markdown: read to the character, shown as safe HTML."""

from models.orders.text.markdown.parsing import (
    Block,
    BlockKind,
    Document,
    Link,
    Span,
    parse,
    split_front_matter,
)
from models.orders.text.markdown.reading import (
    first_paragraph,
    headings,
    href_of,
    is_outgoing,
    is_prose,
    label_end,
    links,
    outline,
    plain_text,
    summary,
    word_count,
    words,
)
from models.orders.text.markdown.rendering import render

__all__ = [
    "Block",
    "BlockKind",
    "Document",
    "Link",
    "Span",
    "first_paragraph",
    "headings",
    "href_of",
    "is_outgoing",
    "is_prose",
    "label_end",
    "links",
    "outline",
    "parse",
    "plain_text",
    "render",
    "split_front_matter",
    "summary",
    "word_count",
    "words",
]
