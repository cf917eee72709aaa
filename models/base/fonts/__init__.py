"""The font of everything that is printed: DejaVu Sans, in which PDF files embed the characters that they use. It has
Latin, Greek, Cyrillic, Armenian and Georgian letters.

The PDF library takes a moment to import: nothing loads this before a paper is asked for.
"""

import functools
import threading
import unicodedata
from pathlib import Path
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

PLAIN: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
#: Stands for what the font has not got, and for what is written from right to left and would need shaping.
UNPRINTABLE: Final = "▯"

#: The library keeps the subsets of a font by document, but nothing of it says that threads may share one.
one_at_a_time: Final = threading.Lock()


@functools.cache
def letters() -> frozenset[int]:
    """The code points that the font can print, once it is known to the library."""
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, Path(__file__).with_name(f"{name}.ttf")))
    font = pdfmetrics.getFont(PLAIN)
    assert isinstance(font, TTFont)
    return frozenset(font.face.charToGlyph)


def printable(words: str) -> str:
    """`words` with what cannot be printed replaced, visibly."""
    known = letters()
    composed = unicodedata.normalize("NFC", words)
    return "".join(one if one == "\n" or _is_printable(one, known) else UNPRINTABLE for one in composed)


def _is_printable(one: str, known: frozenset[int]) -> bool:
    return ord(one) in known and unicodedata.bidirectional(one) not in {"R", "AL", "AN"}
