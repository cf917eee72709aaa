"""How much of one article stands in another, by 5-word shingles.

Broder, "On the resemblance and containment of documents" (1997): resemblance, shared / all, is high for near
copies; containment, shared / own, also where a part was copied into something longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.orders.text.markdown import plain_text, words

SHINGLE_WORDS = 5


@dataclass(frozen=True, slots=True)
class Likeness:
    """Shares between 0 and 1. `index` is which of the others was most alike, -1 if there are none."""

    resemblance: float
    containment: float
    index: int = -1


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of five words of plain text, in small letters; a shorter text is one run."""
    folded = [word.casefold() for word in words(text)]
    if len(folded) <= SHINGLE_WORDS:
        return frozenset([tuple(folded)] if folded else [])
    return frozenset(tuple(folded[at : at + SHINGLE_WORDS]) for at in range(len(folded) - SHINGLE_WORDS + 1))


def most_alike(markdown: str, others: Sequence[str]) -> Likeness:
    """The other article (Markdown too) of which most is found in this one. Some 10 ms for each."""
    own = shingles(plain_text(markdown))
    best = Likeness(0.0, 0.0)
    for index, other in enumerate(others):
        theirs = shingles(plain_text(other))
        shared = len(own & theirs)
        if not shared:
            continue
        likeness = Likeness(shared / len(own | theirs), shared / len(own), index)
        if (likeness.containment, likeness.resemblance) > (best.containment, best.resemblance):
            best = likeness
    return best
