"""What a publication and an article must be like: pure, so that forms and imported files are held to the same."""

import re
from dataclasses import dataclass
from typing import Final

import idna

#: The values of `rel` that a sold link may get (https://developers.google.com/search/docs/crawling-indexing/qualify-outbound-links).
RELS: Final = ("sponsored", "nofollow sponsored", "nofollow", "ugc", "nofollow ugc")
#: Currencies with two decimals, which is how prices are written here.
CURRENCIES: Final = ("usd", "eur", "gbp", "chf", "dkk", "nok", "pln", "sek")
#: Addresses of our own below a site's or beside it.
RESERVED_SLUGS: Final = frozenset({"new", "feed"})

MOST_MARKDOWN: Final = 200_000
MOST_LINKS: Final = 50
#: From one unit to a hundred thousand of them, in cents.
LEAST_PRICE, MOST_PRICE = 100, 10_000_000

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What is said of a publication. The slug is fixed once it is there: it is part of every address."""

    name: str
    domain: str
    niche: str
    language: str
    tagline: str
    about: str


@dataclass(frozen=True, slots=True)
class SellingRules:
    """How links are sold in a publication. For admins to set."""

    disclosure: str
    rel: str
    max_links_per_article: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """An article as editors write it."""

    title: str
    slug: str
    topic: str
    keyword: str
    author: str
    summary: str
    markdown: str


#: The words of each field, and how long it may be.
_SITE_FIELDS: Final = {
    "name": ("a name", 100),
    "niche": ("a niche, like “Coffee and home brewing”", 80),
    "tagline": ("a tagline: one sentence under the name", 200),
    "about": ("a few sentences about the publication", 2000),
}
_ARTICLE_FIELDS: Final = {
    "title": ("a title", 200),
    "topic": ("a topic, like “Water”", 100),
    "keyword": ("the keyword that the article is found by", 100),
    "author": ("the name of the author", 100),
    "summary": ("a summary of one or two sentences", 400),
}


def slug_problem(slug: str) -> str | None:
    """What is wrong with the part of an address that names a site or an article; None if nothing is."""
    if not slug:
        return "Enter the part of the address that names it, like water-for-coffee."
    if not _SLUG.fullmatch(slug) or len(slug) > 100:  # noqa: PLR2004 - long enough for any title
        return (
            "Use small letters, digits and single hyphens only, at most 100 of them, like water-for-coffee."
        )
    if slug in RESERVED_SLUGS:
        return f"Choose another one: {slug} is an address of the shop itself."
    return None


def site_problems(facts: SiteFacts) -> dict[str, str]:
    """Everything that is wrong with what is said of a publication, by field."""
    found = _lines(facts, _SITE_FIELDS)
    try:
        normal_domain(facts.domain)
    except ValueError as error:
        found["domain"] = str(error)
    if not _LANGUAGE.fullmatch(facts.language):
        found["language"] = "Enter the code of the language, like en or pt-BR."
    return found


def selling_problems(rules: SellingRules) -> dict[str, str]:
    """Everything that is wrong with the rules of selling, by field."""
    found: dict[str, str] = {}
    if not rules.disclosure:
        found["disclosure"] = "Enter the line that tells readers about paid links: they have to be told."
    elif problem := _line_problem(rules.disclosure, 300):
        found["disclosure"] = problem
    if rules.rel not in RELS:
        found["rel"] = f"Choose one of: {', '.join(RELS)}."
    if not 1 <= rules.max_links_per_article <= MOST_LINKS:
        found["max_links_per_article"] = f"Enter a number from 1 to {MOST_LINKS}."
    return found


def article_problems(facts: ArticleFacts) -> dict[str, str]:
    """Everything that is wrong with an article, by field. An empty slug is wrong too."""
    found = _lines(facts, _ARTICLE_FIELDS)
    if problem := slug_problem(facts.slug):
        found["slug"] = problem
    if not facts.markdown.strip():
        found["markdown"] = "Write the article: it has no text yet."
    elif len(facts.markdown) > MOST_MARKDOWN:
        found["markdown"] = (
            f"Shorten the text to {MOST_MARKDOWN:,} characters; it has {len(facts.markdown):,}."
        )
    elif unseen := _UNSEEN.search(facts.markdown):
        line = facts.markdown.count("\n", 0, unseen.start()) + 1
        found["markdown"] = (
            f"Remove the character in line {line} that cannot be seen (U+{ord(unseen[0]):04X})."
        )
    return found


def price_problem(cents: int, currency: str) -> str | None:
    """What is wrong with a price; None if nothing is."""
    if currency not in CURRENCIES:
        return f"Choose one of: {', '.join(CURRENCIES)}."
    if not LEAST_PRICE <= cents <= MOST_PRICE:
        return f"Enter a price from {LEAST_PRICE // 100} to {MOST_PRICE // 100:,}."
    return None


def normal_domain(typed: str) -> str:
    """A domain in punycode and lower case, however it was typed: with a scheme, a path, `*.`, capitals or umlauts.

    Raise ValueError with what to do about what is no domain name.
    """
    name = typed.strip().lower().partition("://")[2] or typed.strip().lower()
    name = name.split("/", 1)[0].rpartition("@")[2].partition(":")[0].removeprefix("*.").strip(".")
    try:
        name = idna.encode(name, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        name = ""
    labels = name.split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():  # noqa: PLR2004 - a.b
        raise ValueError("Enter a domain name, like example.org.")
    return name


def _lines(facts: SiteFacts | ArticleFacts, fields: dict[str, tuple[str, int]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, (words, most) in fields.items():
        value = getattr(facts, name)
        if not value:
            found[name] = f"Enter {words}."
        elif problem := _line_problem(value, most):
            found[name] = problem
    return found


def _line_problem(value: str, most: int) -> str | None:
    if len(value) > most:
        return f"Shorten this to {most:,} characters; it has {len(value):,}."
    # What cannot stand on one line cannot stand in the front matter of an exported file.
    if len(value.splitlines()) > 1 or _UNSEEN.search(value):
        return "Write this on one line, without characters that cannot be seen."
    return None
