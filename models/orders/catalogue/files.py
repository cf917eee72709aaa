r"""An article as a file: Markdown under a front matter of facts, one `name: value` to a line.

    ---
    title: The Other Ingredient
    slug: water-for-coffee
    topic: Water
    keyword: water for coffee
    author: Daniel Ferreira-Lund
    published: 2026-02-03
    status: published
    price_cents: 19900
    summary: Hardness and alkalinity decide more of your cup than most gear does.
    ---

    Two friends of mine bought the same bag on the same morning.

A value is everything after the colon, without the spaces around it: there are no quotes, lists or escapes. What
`written` makes, `parsed` reads back to the byte, whatever line ends the text has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from models.base.errors import Invalid
from models.orders.catalogue.rules import ArticleFacts, article_problems
from models.orders.states import ArticleStatus

WANTED: Final = ("title", "slug", "topic", "keyword", "author", "status", "summary")
FIELDS: Final = (
    "title",
    "slug",
    "topic",
    "keyword",
    "author",
    "published",
    "status",
    "price_cents",
    "summary",
)
#: The moment of a day that is written as a date alone.
_MORNING: Final = time(9, tzinfo=UTC)
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"([a-z_]+):[ \t]*(.*)")
_BLANK = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """What a file says of an article. Without a price it costs what the site asks for."""

    facts: ArticleFacts
    status: ArticleStatus
    price_cents: int | None
    published_at: datetime | None


def written(article: ArticleFile) -> str:
    """The article as the text of a file."""
    values = {
        **{name: getattr(article.facts, name) for name in ("title", "slug", "topic", "keyword", "author")},
        "published": _moment_words(article.published_at) if article.published_at else None,
        "status": article.status.value,
        "price_cents": article.price_cents,
        "summary": article.facts.summary,
    }
    lines = [f"{name}: {values[name]}" for name in FIELDS if values[name] is not None]
    return "\n".join(["---", *lines, "---", "", article.facts.markdown])


def parsed(text: str) -> ArticleFile:
    """The article that a file holds; raise `Invalid` with every problem, by field (`file` for the file as a whole)."""
    found = _FRONT.match(text)
    if found is None:
        raise Invalid({"file": "Begin the file with a line ---, then the facts, then another line ---."})
    values, problems = _values(found[1])
    rest = text[found.end() :]
    blank = _BLANK.match(rest)
    markdown = rest[blank.end() :] if blank else rest
    columns = {
        name: values.get(name, "") for name in ("title", "slug", "topic", "keyword", "author", "summary")
    }
    facts = ArticleFacts(**columns, markdown=markdown)
    problems |= article_problems(facts)
    status, price, published_at = _further(values, problems)
    for name in WANTED:
        if name not in values:
            problems[name] = f"Add a line “{name}: …” to the facts."
    if problems:
        raise Invalid(problems)
    return ArticleFile(facts, status, price, published_at)


def _values(front: str) -> tuple[dict[str, str], dict[str, str]]:
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    for number, line in enumerate(front.splitlines(), start=2):
        found = _LINE.fullmatch(line)
        if found is None:
            if line.strip():
                problems["file"] = f"Write line {number} as “name: value”."
        elif found[1] not in FIELDS:
            problems[found[1]] = f"Remove this from line {number}: only {', '.join(FIELDS)} are known."
        elif found[1] in values:
            problems[found[1]] = f"Say this once: line {number} says it again."
        else:
            values[found[1]] = found[2].strip()
    return values, problems


def _further(
    values: Mapping[str, str], problems: dict[str, str]
) -> tuple[ArticleStatus, int | None, datetime | None]:
    status, price, published_at = ArticleStatus.DRAFT, None, None
    try:
        status = ArticleStatus(values.get("status", ""))
    except ValueError:
        problems["status"] = f"Write one of: {', '.join(ArticleStatus)}."
    cents = values.get("price_cents")
    if cents is not None:
        if cents.isascii() and cents.isdigit() and len(cents) <= 9:  # noqa: PLR2004 - far above any price
            price = int(cents)
        else:
            problems["price_cents"] = "Write a whole number of cents, like 19900."
    if "published" in values:
        try:
            published_at = _moment(values["published"])
        except ValueError:
            problems["published"] = (
                "Write a date like 2026-02-03, or a moment like 2026-02-03T14:30:00+00:00."
            )
    if published_at is None and status in {ArticleStatus.UNPUBLISHED, ArticleStatus.ARCHIVED}:
        problems.setdefault("published", "Say when it was published, or make it a draft.")
    return status, price, published_at


def _moment(value: str) -> datetime:
    if "T" not in value:
        return datetime.combine(date.fromisoformat(value), _MORNING)
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC)


def _moment_words(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.date().isoformat() if moment.timetz() == _MORNING else moment.isoformat()
