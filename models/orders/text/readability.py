"""How easily a text reads."""

import re

from models.orders.text.markdown import plain_text, words
from models.orders.text.sentences import split

_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_END = re.compile(r"(?<=[^aeiouyl])e\Z|(?<=[^dt])ed\Z|(?<=[^sxzcgh])es\Z")


def syllables(word: str) -> int:
    """The syllables of an English word, counted by its groups of vowels: right for about nine words in ten."""
    folded = re.sub(r"[^a-z]", "", word.lower())
    return max(1, len(_VOWELS.findall(_SILENT_END.sub("", folded))))


def reading_ease(markdown: str) -> float:
    """Flesch Reading Ease, from about 0 (very hard) to 100 (very easy); 60 to 70 is plain English.

    206.835 - 1.015 x (words / sentences) - 84.6 x (syllables / words): R. Flesch, "A new readability yardstick",
    Journal of Applied Psychology 32 (1948), 221-233. Made for English; an empty text scores 0.
    """
    paragraphs = plain_text(markdown).split("\n")
    found = [word for paragraph in paragraphs for word in words(paragraph)]
    count = sum(len(split(paragraph)) for paragraph in paragraphs)
    if not found or not count:
        return 0.0
    return 206.835 - 1.015 * len(found) / count - 84.6 * sum(map(syllables, found)) / len(found)
