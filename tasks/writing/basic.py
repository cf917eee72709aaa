"""The basic writer: places a link without asking a model.

Safe, quick and plain. It finds the paragraph nearest to what the link is about, links the anchor's words where they
already stand, or else adds one sentence that claims nothing. Its work is labelled “basic mode” wherever it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from models.orders.quality import check_integration, order_obstacles
from models.orders.text.edits import MAX_LINKS_IN_PARAGRAPH, BadEdit, Edit, Wrap, splice
from models.orders.text.markdown import parse
from tasks.writing.ranking import SCORE_FLOOR, Candidate, candidates, reordered
from tasks.writing.wording import is_woven, wordings

Reason = Literal["too_early", "unnatural_anchor", "wrong_section"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A placed link: the edit, the whole text with it, and how near (0 to 1) its paragraph is to the link's subject."""

    edit: Edit | Wrap
    markdown: str
    score: float
    method: Literal["wrap", "sentence"]
    needs_editor: bool


def propose(
    markdown: str,
    *,
    url: str,
    anchor: str,
    topic: str,
    number: int,
    reasons: Sequence[str] = (),
    previous: Sequence[Edit | Wrap] = (),
    language: str = "en",
    max_links_in_paragraph: int = MAX_LINKS_IN_PARAGRAPH,
) -> Proposal | None:
    """The next best way to place the link after `number` others (0 for the first); None when there is no other.

    The same arguments give the same answer. Attempts handed over as `previous` (oldest first; `edit_made` tells them
    from stored texts) are not repeated and count among the `number`; `reasons` say what was wrong with the last of
    them. Every proposal has passed quality control. The sentences are English: in another language, and where no
    paragraph is near the link's subject, `needs_editor` says that somebody must look first.
    """
    if order_obstacles(markdown, url=url, max_links=None):
        return None
    document = parse(markdown)
    found = candidates(document, url=url, anchor=anchor, topic=topic, max_links=max_links_in_paragraph)
    sentence = _sentence(markdown, anchor, number, reasons, previous)
    to_skip = max(0, number - len(previous))
    for candidate in reordered(document, found, reasons=reasons, previous=previous):
        edit = candidate.wrap or Edit(candidate.paragraph, candidate.after_sentence, sentence)
        text = _placed(markdown, edit, url, anchor, max_links_in_paragraph)
        if text is None:
            continue
        if to_skip == 0:
            return _proposal(candidate, edit, text, language)
        to_skip -= 1
    return None


def _placed(markdown: str, edit: Edit | Wrap, url: str, anchor: str, max_links: int) -> str | None:
    try:
        text = splice(markdown, edit, url=url, anchor=anchor)
    except BadEdit:
        return None
    report = check_integration(markdown, text, url=url, anchor=anchor, max_links_in_paragraph=max_links)
    return text if report.passed else None


def _proposal(candidate: Candidate, edit: Edit | Wrap, text: str, language: str) -> Proposal:
    is_english = language.lower().split("-", 1)[0] == "en"
    return Proposal(
        edit=edit,
        markdown=text,
        score=round(candidate.score, 4),
        method="wrap" if candidate.wrap else "sentence",
        needs_editor=candidate.score < SCORE_FLOOR or not (candidate.wrap or is_english),
    )


def _sentence(
    markdown: str, anchor: str, number: int, reasons: Sequence[str], previous: Sequence[Edit | Wrap]
) -> str:
    """Another sentence for each try, and none that the article has already from another order."""
    said = [edit.sentence.replace(anchor, "{anchor}") for edit in previous if isinstance(edit, Edit)]
    other_family = "unnatural_anchor" in reasons and bool(said) and is_woven(said[-1])
    choices = wordings(anchor, colon_first=other_family)
    family = [choice for choice in choices if is_woven(choice) == is_woven(choices[0])]
    turn = (crc32(f"{anchor}\n{markdown[:400]}".encode(errors="replace")) + number) % len(family)
    ordered = family[turn:] + family[:turn] + choices[len(family) :]
    fresh = [
        choice for choice in ordered if choice not in said and choice.partition("{anchor}")[0] not in markdown
    ]
    return (fresh or ordered)[0]
