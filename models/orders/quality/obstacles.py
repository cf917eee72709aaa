"""What stands in the way of an order before anybody pays for it."""

import re

from models.orders.quality.characters import hidden, mixed_words, name_of
from models.orders.quality.domains import registrable_domain
from models.orders.text.edits import BadEdit, destination, places
from models.orders.text.markdown import is_outgoing, links, words
from models.orders.text.sentences import split

MAX_ANCHOR_WORDS = 12
MAX_ANCHOR_CHARS = 100


def order_obstacles(markdown: str, *, url: str, max_links: int | None) -> list[str]:
    """Why this article cannot take a link to `url`, as sentences for the customer; empty when it can.

    `max_links` is how many outgoing links the article may have in all, the new one included; None for no limit.
    """
    outgoing = [link for link in links(markdown) if is_outgoing(link.href)]
    domain = registrable_domain(url)
    found = []
    if any(registrable_domain(link.href) == domain for link in outgoing):
        found.append(f"This article already links to {domain}.")
    if max_links is not None and len(outgoing) >= max_links:
        found.append(
            f"This article already has {len(outgoing)} outgoing links, and its limit is {max_links}."
        )
    if not places(markdown):
        found.append("This article has no paragraph that could take a link.")
    return found


def anchor_obstacles(anchor: str) -> list[str]:
    """Why these words could never pass quality control as a link, as sentences for the customer."""
    found = []
    if not words(anchor):
        found.append("The words of the link need to be at least one word.")
    if anchor != anchor.strip() or re.search(r"[\r\n\t]| {2}", anchor):
        found.append(
            "The words of the link must be one line without spaces around them or double spaces in them."
        )
    if len(words(anchor)) > MAX_ANCHOR_WORDS or len(anchor) > MAX_ANCHOR_CHARS:
        found.append(
            f"A link may stand on at most {MAX_ANCHOR_WORDS} words and {MAX_ANCHOR_CHARS} characters."
        )
    if len(split(anchor)) > 1:
        found.append("The words of the link must be part of a sentence, not more than one.")
    if odd := [char for char in hidden(anchor) if char not in "\r\n\t"]:
        found.append(f"The words of the link have a character nobody can see ({name_of(odd[0])}).")
    if mixed := mixed_words(anchor):
        found.append(f"The word “{mixed[0]}” mixes alphabets that look alike.")
    return found


def url_obstacles(url: str) -> list[str]:
    """Why this could never be a link's target. Whether anything answers there is another question."""
    try:
        destination(url)
    except BadEdit as refusal:
        return [str(refusal)]
    if hidden(url) or re.search(r"\s", url):
        return ["The address has a space or a character nobody can see in it."]
    return []
