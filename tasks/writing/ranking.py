"""Where in an article a link would stand best, in order: the basic writer's judgement."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.orders.text.edits import Edit, Place, Wrap, places, standing
from models.orders.text.markdown import Document
from models.orders.text.sentences import sentences
from tasks.writing.relevance import Relevance, terms, url_words

# Below this an editor looks first: the paragraph shares hardly a word with what the link is about.
SCORE_FLOOR = 0.1

_FIRST_PARAGRAPH = 0.6
_PER_LINK = 0.8
_MID_PARAGRAPH = 0.75
# Each further place in one paragraph is worth so much of the one before, so that a new try moves on.
_AGAIN = 0.6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place for the link: words to wrap, or a gap for a sentence. `score` (0 to 1) is how near its paragraph is to
    the link's subject; `rank` orders candidates and means nothing else.
    """

    rank: float
    score: float
    paragraph: int
    after_sentence: int = 0
    wrap: Wrap | None = None

    @property
    def place(self) -> tuple[int, int, bool]:
        at = self.wrap.start if self.wrap else self.after_sentence
        return self.paragraph, at, self.wrap is not None


def place_of(edit: Edit | Wrap) -> tuple[int, int, bool]:
    """The place of an edit, to compare with a candidate's."""
    is_wrap = isinstance(edit, Wrap)
    return edit.paragraph, edit.start if isinstance(edit, Wrap) else edit.after_sentence, is_wrap


def candidates(document: Document, *, url: str, anchor: str, topic: str, max_links: int) -> list[Candidate]:
    """Every place, the best first: standing words, then gaps in the nearest paragraphs. Always in the same order."""
    blocks = document.paragraphs
    if not blocks:
        return []
    relevance = Relevance([" ".join((block.text, *block.heading_path)) for block in blocks])
    about = {anchor: 1.0, url_words(url): 0.5}
    near = relevance.scores(about)
    worth = relevance.scores({topic: 0.4, **about})
    for at, block in enumerate(blocks):
        worth[at] *= (_FIRST_PARAGRAPH if at == 0 else 1.0) * _PER_LINK ** len(block.links)
        # Only to order paragraphs that are otherwise alike: the middle of the text before its ends.
        worth[at] -= abs(at / len(blocks) - 0.5) / 1000
    wraps = standing(document.markdown, anchor, max_links_in_paragraph=max_links)
    gaps = places(document.markdown, max_links_in_paragraph=max_links)
    found = _wraps(wraps, anchor, near, worth) + _gaps(document, gaps, anchor, near, worth)
    return sorted(found, key=lambda candidate: (-candidate.rank, candidate.place))


def _wraps(wraps: Sequence[Wrap], anchor: str, near: list[float], worth: list[float]) -> list[Candidate]:
    # The exact words stand there: near enough by any measure, unless they are words that stand everywhere.
    least = SCORE_FLOOR if terms(anchor) else 0.0
    found: list[Candidate] = []
    for wrap in wraps:
        at = wrap.paragraph - 1
        turn = sum(earlier.paragraph == wrap.paragraph for earlier in found)
        rank = 1 + worth[at] * _AGAIN**turn
        found.append(Candidate(rank, max(least, near[at]), wrap.paragraph, wrap=wrap))
    return found


def _gaps(
    document: Document, gaps: Sequence[Place], anchor: str, near: list[float], worth: list[float]
) -> list[Candidate]:
    wanted = set(terms(anchor))
    weighed: dict[int, list[tuple[float, int]]] = {}
    for gap in gaps:
        block = document.paragraphs[gap.paragraph - 1]
        start, end = sentences(block)[gap.after_sentence - 1]
        shared = len(wanted & set(terms(block.source[start:end]))) / (1 + len(wanted))
        weight = 1.0 if gap.is_last else _MID_PARAGRAPH * (0.8 + 0.2 * shared)
        weighed.setdefault(gap.paragraph, []).append((weight, gap.after_sentence))
    found = []
    for paragraph, options in weighed.items():
        for turn, (weight, after) in enumerate(sorted(options, key=lambda option: (-option[0], option[1]))):
            # The last term lets every paragraph have its turn before any has a second, where nothing is near.
            rank = worth[paragraph - 1] * weight * _AGAIN**turn - turn / 100
            found.append(Candidate(rank, near[paragraph - 1], paragraph, after))
    return found


def reordered(
    document: Document, found: Sequence[Candidate], *, reasons: Sequence[str], previous: Sequence[Edit | Wrap]
) -> list[Candidate]:
    """Those not tried before, in their order, but what the reasons speak against comes last."""
    tried = {place_of(edit) for edit in previous}
    last = previous[-1] if previous else None
    reached = last.paragraph if last else (len(document.paragraphs) + 1) // 2
    section = section_of(document, last.paragraph) if last else None

    def against(candidate: Candidate) -> int:
        faults = (
            "too_early" in reasons and candidate.paragraph <= reached,
            "wrong_section" in reasons and section_of(document, candidate.paragraph) == section,
            "unnatural_anchor" in reasons and isinstance(last, Wrap) and candidate.wrap is not None,
        )
        return sum(faults)

    return sorted((candidate for candidate in found if candidate.place not in tried), key=against)


def section_of(document: Document, paragraph: int) -> tuple[str, ...] | None:
    """The headings above a paragraph, the outermost first; None for a paragraph that is not there."""
    block = document.paragraph(paragraph)
    return block.heading_path if block else None
