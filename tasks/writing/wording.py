"""The sentences basic mode can write around an anchor text.

Each says that more may be read and nothing about what is there. Which of them are grammatical depends on the anchor's
shape, told by its first and its main word; in doubt the anchor stands after a colon, which takes any words.
"""

import re
from enum import StrEnum


class Shape(StrEnum):
    """What kind of phrase an anchor is, as far as its words alone tell."""

    QUESTION = "question"  # how to choose a CRM
    TOPIC = "topic"  # community building, ergonomic chairs
    OBJECT = "object"  # our pricing page, Acme, 7 tips for runners
    COMMAND = "command"  # learn more about yoga
    PLACE = "place"  # here
    LABEL = "label"  # anything else: best CRM software, standing desk


_WOVEN = {
    Shape.QUESTION: (
        "A related question is {anchor}.",
        "It also helps to know {anchor}.",
        "Some readers will also want to know {anchor}.",
        "The next question is often {anchor}.",
    ),
    Shape.TOPIC: (
        "For more background, read about {anchor}.",
        "Readers who want to go further can read about {anchor}.",
        "It may also help to read about {anchor}.",
        "To take this further, read up on {anchor}.",
        "From here, it is worth reading about {anchor}.",
        "Those new to the subject may first want to read about {anchor}.",
    ),
    Shape.OBJECT: (
        "For further reading, see {anchor}.",
        "Readers who want to go further can turn to {anchor}.",
        "On this subject, see also {anchor}.",
        "One more place to look is {anchor}.",
    ),
    Shape.COMMAND: (
        "To go further, {anchor}.",
        "As a next step, {anchor}.",
        "If you want to go on from here, {anchor}.",
    ),
    Shape.PLACE: (
        "You can read more on this subject {anchor}.",
        "Further reading on this subject can be found {anchor}.",
    ),
    Shape.LABEL: (),
}
_AFTER_COLON = (
    "Related reading: {anchor}.",
    "Further reading: {anchor}.",
    "See also: {anchor}.",
    "More on a related subject: {anchor}.",
    "For readers who want to go on: {anchor}.",
    "A possible next step: {anchor}.",
)

# Each shape by how the anchor begins; the first that fits. The last word decides about the rest.
_INDIRECT = r"(?:how|what|when|where|which|whether|who) to\b|why (?!is|are|do|does|did|can|should)"
_COMMAND = (
    r"(?:read|learn|get|find|see|buy|try|discover|explore|compare|choose|create|improve|join|visit|check out|talk to"
    r"|click (?:here|this|through)|contact us|sign (?:up|in)|start (?:with|here|your|a))\b"
)
_BEGINNINGS = (
    (Shape.QUESTION, re.compile(_INDIRECT)),
    (Shape.PLACE, re.compile(r"(?:over )?here\Z")),
    (Shape.COMMAND, re.compile(_COMMAND)),
    (
        Shape.OBJECT,
        re.compile(r"(?:an?|the|this|these|that|those|our|my|his|her|their|its|\d+) ", re.IGNORECASE),
    ),
    (Shape.OBJECT, re.compile(r"[\w-]+(?:\.[\w-]+)+\Z")),
    (
        Shape.LABEL,
        re.compile(r"(?:best|top|most|better|cheap(?:est)?|fastest|leading|greatest|free)\b", re.IGNORECASE),
    ),
)
_PLAIN = re.compile(r"[\w'\u2019&/-]+(?: [\w'\u2019&/-]+)*")
_PREPOSITION = re.compile(
    r" (?:of|for|in|with|to|on|at|from|by|about|near|without|under|against|between|vs) .*"
)
_GERUND = re.compile(r"\w{3,}ing (?:an?|the|your|our)\b")
# Main words that need no article, as far as endings tell, and the commonest exceptions either way.
_PLURAL = re.compile(r"\w{2,}(?<![suia'])s")
_UNCOUNTED = re.compile(
    r"\w{2,}(?:ing|ness|ship|ics|ware|ism|ology|care)"
    r"|advice|coffee|content|data|design|education|energy|engagement|equipment|feedback|finance|fitness|food|furniture"
    r"|growth|health|help|history|information|insurance|knowledge|law|maintenance|management|money|music|news|nutrition"
    r"|performance|privacy|productivity|recruitment|research|retention|safety|security|seo|sport|storage|sustainability"
    r"|tea|technology|transport|travel|trust|water|weather|wine|work|yoga"
)
_COUNTED = re.compile(
    r"building|ceiling|drawing|king|listing|meeting|opening|painting|rating|recording|setting|spring|string|thing|wedding"
    r"|wing|\w*ship(?<!leadership)(?<!ownership)(?<!membership)(?<!friendship)|witness|business|mechanism|prism"
)
_BUILDING_UP = re.compile(r".*\b(?:brand|community|habit|link|relationship|team|trust)[ -]building")


def shape_of(anchor: str) -> Shape:
    """The anchor's grammatical shape. In doubt it is a label."""
    for shape, beginning in _BEGINNINGS:
        if beginning.match(anchor):
            return shape
    if not _PLAIN.fullmatch(anchor):
        return Shape.LABEL
    if _GERUND.match(anchor) or _stands_alone(anchor):
        return Shape.TOPIC
    # One word in capitals is an acronym; in plain title case it may be a subject as well as a name.
    is_name = anchor[:1].isupper() and not anchor.isupper() and not anchor.istitle() and " " not in anchor
    return Shape.OBJECT if is_name else Shape.LABEL


def wordings(anchor: str, *, colon_first: bool = False) -> list[str]:
    """Every sentence that is grammatical with this anchor, `{anchor}` in its place, the more natural first."""
    woven = _WOVEN[shape_of(anchor)]
    found = [*_AFTER_COLON, *woven] if colon_first else [*woven, *_AFTER_COLON]
    ends_itself = anchor.endswith((".", "!", "?", "\u2026"))
    return [sentence.removesuffix(".") if ends_itself else sentence for sentence in found]


def is_woven(sentence: str) -> bool:
    """Whether the anchor is part of the sentence, and not a label after its colon."""
    return ": {anchor}" not in sentence


def _stands_alone(phrase: str) -> bool:
    """Whether the phrase needs no article: its main word is a plural, or something that is not counted."""
    main = _PREPOSITION.sub("", phrase.lower()).rpartition(" ")[2]
    if _COUNTED.fullmatch(main):
        return _BUILDING_UP.fullmatch(phrase.lower()) is not None
    return bool(_PLURAL.fullmatch(main) or _UNCOUNTED.fullmatch(main))
