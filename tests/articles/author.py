"""An author behind the model server: it plans an article and writes what it is asked for, well or badly."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.llm.script import Say, Step
from tests.llm.server import Call

TITLE = "How to descale a kettle without harsh chemicals"
HEADINGS = (
    "Why scale forms",
    "What you need",
    "Step by step",
    "How often to do it",
    "When to stop and replace",
)

_WHO = (
    "Most people",
    "A careful owner",
    "Anybody in a hurry",
    "The patient cook",
    "A new tenant",
    "Your neighbour",
)
_DO = (
    "fills the tank",
    "rinses the lid",
    "checks the spout",
    "empties the base",
    "wipes the rim",
    "lifts the filter",
)
_WHEN = (
    "before breakfast",
    "after a long week",
    "on a slow Sunday",
    "once the water cools",
    "while the radio plays",
)
_WHY = (
    "so that nothing is left behind", "because chalk comes back", "and then waits a little", "to keep the taste clean",
    "since steam loosens the rest", "and writes the date on a card", "which takes about ten minutes",
)  # fmt: skip


def sentences(part: int) -> Iterator[str]:
    """Plain sentences without end; another part begins elsewhere in them."""
    at = part * 37
    while True:
        who, do = _WHO[at % 6], _DO[(at // 6 + part) % 6]
        yield f"{who} {do} {_WHEN[(at * 3 + part) % 5]}, {_WHY[(at * 5 + part) % 7]}."
        at += 1


def paragraphs(part: int, words: int = 190) -> list[str]:
    """So many words of one part in short paragraphs. The keyword stands in the first of them."""
    found = [
        "A kettle needs little care, but descale a kettle too late and it boils slowly." if not part else ""
    ]
    source = sentences(part)
    while sum(len(one.split()) for one in found) < words:
        found.append(" ".join(next(source) for _ in range(4)))
    return [one for one in found if one]


@dataclass
class Author:
    """Answers calls. `parts` counts what each part was asked for; `spoilt` are parts whose first texts are bad."""

    spoilt: Mapping[int, list[list[str]]] = field(default_factory=dict)
    before: Callable[[Call], Step | None] = lambda _: None
    asked: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Call) -> Step:
        """The answer to a call, in the shape that it asks for."""
        step = self.before(call)
        if step is not None:
            return step
        if "to write" not in call.user:
            self.asked["outline"] += 1
            return Say(json.dumps(self.outline()))
        found = re.search(r"Section (\d+):", call.user)
        part = int(found[1]) if found else 0
        self.asked[f"part {part}"] += 1
        bad = self.spoilt.get(part, [])
        turn = self.asked[f"part {part}"]
        text = bad[turn - 1] if turn <= len(bad) else paragraphs(part, 190 if part else 90)
        return Say(json.dumps({"paragraphs": text}))

    @staticmethod
    def outline() -> dict[str, object]:
        """The plan of the article about kettles."""
        return {
            "title": TITLE,
            "summary": "What limescale is, and how to get rid of it with what is in the kitchen.",
            "sections": [{"heading": one, "points": [f"{one} in plain words"]} for one in HEADINGS],
        }
