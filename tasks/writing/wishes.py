"""What a customer's reasons mean to whoever writes another version: which places are left, and what is to be different.

The reasons are a fixed list, and their words are ours: nothing that a customer typed gets here.
"""

from collections.abc import Callable, Sequence
from typing import Final

from models.orders.text.edits import Edit, Place, Wrap
from models.orders.text.markdown import Document
from tasks.writing.ranking import section_of

Made = Edit | Wrap


def left(
    document: Document, gaps: Sequence[Place], reasons: Sequence[str], previous: Sequence[Made]
) -> list[Place]:
    """The gaps that may still be offered: none that was tried, and none that a reason speaks against.

    A reason that would leave no gap at all does not count: the customer then gets the best of the rest. `previous`
    are the earlier versions' edits, oldest first; reasons speak of the last.
    """
    tried = {(edit.paragraph, edit.after_sentence) for edit in previous if isinstance(edit, Edit)}
    found = [gap for gap in gaps if (gap.paragraph, gap.after_sentence) not in tried]
    if not previous:
        return found
    last = previous[-1]
    speak_against: dict[str, Callable[[Place], bool]] = {
        "too_early": lambda gap: gap.paragraph <= last.paragraph,
        "wrong_section": lambda gap: (
            section_of(document, gap.paragraph) == section_of(document, last.paragraph)
        ),
        "unnatural_anchor": lambda gap: gap.paragraph == last.paragraph,
    }
    for reason, is_against in speak_against.items():
        if reason in reasons:
            found = [gap for gap in found if not is_against(gap)] or found
    return found


_UNSAID: Final = (
    "The customer asked for another version without giving a reason: choose another gap and other words."
)


def words_of(document: Document, reasons: Sequence[str], previous: Sequence[Made]) -> list[str]:
    """What was wrong with the last version and what to do about it, as sentences for a language model."""
    if not previous:
        return []
    last = previous[-1]
    section = " / ".join(section_of(document, last.paragraph) or ()) or "the beginning"
    said = f" It was: “{last.sentence}”" if isinstance(last, Edit) else ""
    meaning = {
        "too_early": f"The link stood too early, in paragraph {last.paragraph}: choose a gap further down.",
        "wrong_section": f"The link stood in the wrong section, “{section}”: choose a gap in another section.",
        "unnatural_anchor": "The anchor read unnaturally in its sentence: build the sentence so that the anchor is"
        f" a part of its grammar, not an addition to it.{said}",
    }
    return [words for reason, words in meaning.items() if reason in reasons] or [_UNSAID]
