"""A text as readers would see it, beside the form in which it is written."""

from collections.abc import Collection
from typing import Any

from models.orders.tables import Site
from models.orders.text.markdown import is_outgoing, links, word_count
from web.orders.catalogue import html_of


def preview_of(
    markdown: str, site: Site, sold: Collection[str] = (), *, is_asked: bool = False
) -> dict[str, Any]:
    """What `catalogue/_preview.html` shows."""
    return {
        "html": html_of(markdown, site, set(sold)) if markdown.strip() else "",
        "words": word_count(markdown),
        "links": sum(is_outgoing(link.href) for link in links(markdown)),
        "is_asked": is_asked,
    }
