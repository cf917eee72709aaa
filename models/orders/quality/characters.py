"""Characters that a reader cannot see or cannot tell apart, and markup that has no place in an article."""

import re
import unicodedata
from collections import Counter

from models.orders.text.markdown import words

# Blank in most typefaces, though Unicode calls them letters and symbols.
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"
_SUSPECT = {"Cf", "Cc", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"}
_UNUSUAL = re.compile(r"[^\n\r\t -~]")
_HTML = re.compile(r"(?<!\\)(?<!\]\()<[a-zA-Z/!?]")  # not the "<" of a link's destination
_SCRIPTED = re.compile(r"(?:javascript|vbscript|data|file)\s*:", re.IGNORECASE)
_MIXABLE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def hidden(text: str) -> Counter[str]:
    """Invisible, bidirectional, private and odd space characters by number. Line ends and tabs are not odd."""
    return Counter(
        char
        for char in _UNUSUAL.findall(text)
        if unicodedata.category(char) in _SUSPECT or char in _BLANK_LETTERS
    )


def mixed_words(text: str) -> list[str]:
    """Words that mix alphabets whose letters look alike, as “paypal” with one Cyrillic letter in it."""
    return [word for word in words(text) if len(_alphabets(word)) > 1]


def _alphabets(word: str) -> set[str]:
    if word.isascii():
        return set()
    names = (unicodedata.name(char, "").split(" ", 1)[0] for char in word if char.isalpha())
    return {name for name in names if name in _MIXABLE}


def html_tags(markdown: str) -> int:
    """How many tags, comments or autolinks the source has; one behind a backslash is none."""
    return len(_HTML.findall(markdown))


def scripted(markdown: str) -> int:
    """How many `javascript:`, `data:` and such the source has, in any case."""
    return len(_SCRIPTED.findall(markdown))


def name_of(char: str) -> str:
    return unicodedata.name(char, f"U+{ord(char):04X}").lower()
