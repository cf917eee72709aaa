"""Showing a text: Markdown to HTML that is safe to put on a page."""

from collections.abc import Callable

import nh3
from markdown_it.token import Token

from models.orders.text.markdown.parsing import parser, split_front_matter
from models.orders.text.markdown.reading import is_outgoing

_TAGS = (
    {"a", "blockquote", "br", "code", "em", "hr", "img", "li", "ol", "p", "pre", "strong", "ul"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)
_ATTRIBUTES = {"a": {"href", "title", "rel"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
_ALIGNMENTS = {"align-left", "align-center", "align-right"}
_CLASSES = {"th": _ALIGNMENTS, "td": _ALIGNMENTS}
_SCHEMES = {"http", "https", "mailto", "tel"}


def render(markdown: str, *, rel: Callable[[str], str | None] | str | None = None) -> str:
    """Safe HTML without the front matter.

    `rel` goes on every outgoing link (a function is asked for each href). Table cells are aligned by class
    (`align-right`), so that no inline style is needed.
    """
    env: dict[str, object] = {}
    tokens = parser().parse(split_front_matter(markdown)[1], env)
    for token in tokens:
        if token.type in {"th_open", "td_open"} and (style := token.attrs.pop("style", None)):
            token.attrSet("class", f"align-{str(style).rpartition(':')[2]}")
        for child in token.children or ():
            if child.type == "link_open":
                _dress(child, rel)
    return _clean(parser().renderer.render(tokens, parser().options, env))


def _dress(token: Token, rel: Callable[[str], str | None] | str | None) -> None:
    href = str(token.attrGet("href") or "")
    if is_outgoing(href) and (value := rel(href) if callable(rel) else rel):
        token.attrSet("rel", value)


def _clean(html: str) -> str:
    """Only the tags and attributes that Markdown can make, and links that are safe to follow."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes=_SCHEMES,
        link_rel=None,
    )
