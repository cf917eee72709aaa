"""Texts to work on: one small article made for these tests, and real documents found where the product is installed."""

import importlib.metadata
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DEMO = Path(__file__).parents[2] / "infra" / "local" / "demo"

URL = "https://shop.example.org/grinders"
ANCHOR = "coffee grinders"

ARTICLE = """\
---
title: A quiet cup
---
# A quiet cup

Good coffee begins before the water is hot. Most of what people blame on the machine was decided
by the beans.

## Beans

Beans go stale in about four weeks, and [an opened bag](https://roaster.example.com/bags) goes faster. Keep them
cool, dark and closed. Some people freeze them, which works if the bag is tight.

- Buy little.
- Buy often, from [a roaster](/roasters) near you.

## Grinding

The grind decides how fast water runs through the coffee. Coffee grinders with burrs cut evenly; blades do not.
Cheap coffee grinders can still be steady if they are cleaned *once a week*.

| Method | Grind |
|--------|-------|
| Press  | coarse |

## Water

Water that tastes good makes coffee that tastes good. Let it stand for a moment after it boils.\x20\x20
Then pour slowly and in circles.

```text
15 g of coffee, 250 g of water
```

[notes]: https://notes.example.com/ "Notes"
"""


@cache
def readmes() -> tuple[tuple[str, str], ...]:
    """The Markdown READMEs inside the metadata of installed distributions, as (name, text), by name."""
    found = {}
    for distribution in importlib.metadata.distributions():
        # Read by hand: to parse all of it as a letter takes seconds.
        head, _, text = (distribution.read_text("METADATA") or "").partition("\n\n")
        if text.strip() and re.search(r"(?im)^description-content-type:.*markdown", head):
            found[distribution.name.lower()] = text
    return tuple(sorted(found.items()))


@cache
def demo_articles() -> tuple[tuple[str, str], ...]:
    """The articles that come with the product, as (name, text)."""
    return tuple(
        (path.stem, path.read_bytes().decode())
        for path in sorted(DEMO.glob("*/*.md"))
        if path.name != "README.md"
    )


def with_crlf(documents: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    for name, text in documents:
        yield f"{name} (CRLF)", text.replace("\r\n", "\n").replace("\n", "\r\n")
