"""Where one sentence ends and the next begins, in plain text and in a paragraph's Markdown source."""

import re
from collections.abc import Iterator, Sequence

from models.orders.text.markdown import Block, Span, label_end

# An end may be followed by quotes and brackets that close with it, and by markup (hidden as \0, see `_visible`).
_CLOSERS = "\0\"')\\]\u2019\u201d\u00bb"
_END = re.compile(
    rf"(?:(?<![.!?\u2026])[.!?\u2026]++[{_CLOSERS}]*+(?=\s|\Z))|(?:[\u3002\uff01\uff1f][{_CLOSERS}\u300d\u300f]*)"
)
_LAST_WORD = re.compile(r"[^\s\0(\[\"'\u2018\u201c]+\Z")
_OPENERS = "\0\"'([\u2018\u201c\u00ab*_ \t\n"
# A full stop after these belongs to the word.
_ABBREVIATION = re.compile(
    r"mrs?|ms|dr|prof|st|sr|jr|mt|gen|col|sgt|capt|lt|rev|hon|gov|sen|rep|e\.?g|i\.e|cf|viz|vs|al|approx|ca|nos?"
    r"|figs?|vols?|pp?|ch|sec|eq|eds?|est|resp|incl",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")


def split(text: str, spans: Sequence[Span] = ()) -> list[tuple[int, int]]:
    """The sentences as `[start, end)`, without the white space between them.

    Abbreviations, initials, decimals and dotted names do not end a sentence, nor does anything inside a link,
    image or code, nor a stop that a small letter follows. In doubt two sentences stay one.
    """
    found = []
    start = 0
    for end in _ends(_visible(text, spans), spans):
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if start < end:
            found.append((start, end))
        start = end
    rest = text[start:]
    if rest.strip():
        found.append((start + len(rest) - len(rest.lstrip()), len(text.rstrip())))
    return found


def sentences(block: Block) -> list[tuple[int, int]]:
    """The sentences of a paragraph, as places in `block.source`."""
    return split(block.source, block.spans)


def is_finished(text: str) -> bool:
    """Whether a sentence (as Markdown or plain text) ends as a sentence does, and not with “:” or nothing."""
    return bool(re.search(rf"[.!?\u2026\u3002\uff01\uff1f][{_CLOSERS}*_]*\Z", text.rstrip()))


def _ends(visible: str, spans: Sequence[Span]) -> Iterator[int]:
    for found in _END.finditer(visible):
        end = found.end()
        if any(span.start < end < span.end for span in spans):
            continue
        if _goes_on(visible, found.start(), end):
            continue
        yield end


def _goes_on(visible: str, stop: int, end: int) -> bool:
    following = visible[end:].lstrip(_OPENERS)
    if following[:1].islower() and visible[end : end + 1].isspace():
        return True
    if re.match(r"\.(?![.!?\u2026])", visible[stop:end]) is None or not following:
        return False
    word = _LAST_WORD.search(visible, max(0, stop - 40), stop)
    if word is None:
        return False
    last = word.group()
    if last.lower() == "no":
        return following[:1].isdigit()
    if _ABBREVIATION.fullmatch(last):
        return True
    return _INITIALS.fullmatch(last) is not None and last != "I" and last.isupper()


def _visible(text: str, spans: Sequence[Span]) -> str:
    """The text with the same length, its markup hidden so that a stop before it is still seen as the last thing."""
    shown = list(text)
    for span in spans:
        inside = text[span.start : span.end]
        if span.kind == "emphasis":
            width = 2 if inside.startswith(("**", "__")) else 1
            hidden = [*range(span.start, span.start + width), *range(span.end - width, span.end)]
        elif span.kind == "link" and inside.startswith("["):
            hidden = [span.start, *range(span.start + label_end(inside), span.end)]
        else:
            shown[span.start : span.end] = "X" * len(inside)
            continue
        for at in hidden:
            shown[at] = "\0"
    return "".join(shown)
