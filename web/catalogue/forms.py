"""What the forms of the catalogue are read into. The rules in `models.orders.catalogue.rules` say what is wrong."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from models.base.errors import Invalid
from models.orders.catalogue.rules import (
    MOST_MARKDOWN,
    ArticleFacts,
    SellingRules,
    SiteFacts,
)
from web.forms import FormData, clean

#: A form with an article in it may weigh so much: each character of the text becomes up to nine bytes.
LARGEST_ARTICLE_FORM: Final = 9 * MOST_MARKDOWN + 64 * 1024

_LINE_ENDS = re.compile(r"[\r\n\t]+")
_MONEY = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{2})?")


def lines_of(form: FormData, *names: str) -> dict[str, str]:
    """Fields of one line each, without what surrounds them; a line end within becomes a space.

    Raises `Invalid` for every field with characters that nobody can see.
    """
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            values[name] = clean(_LINE_ENDS.sub(" ", (form.get(name) or [""])[0].strip()))
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise Invalid(problems)
    return values


def site_facts(form: FormData) -> SiteFacts:
    """What the form says of a site. Raises `Invalid` for what cannot be read at all."""
    return SiteFacts(**lines_of(form, *(one.name for one in fields(SiteFacts))))


def selling_rules(form: FormData) -> SellingRules:
    """How the form says that links are sold."""
    values = lines_of(form, "disclosure", "rel", "max_links_per_article")
    most = values["max_links_per_article"]
    return SellingRules(
        disclosure=values["disclosure"],
        rel=values["rel"],
        max_links_per_article=int(most) if most.isascii() and most.isdigit() and len(most) < 5 else 0,  # noqa: PLR2004 - more is refused by the rules
        is_open=bool((form.get("is_open") or [""])[0]),
    )


def article_facts(form: FormData, base: str = "") -> ArticleFacts:
    """The article that the form holds. Browsers send line ends as CR LF, whatever they were: they become those of `base`."""
    names = [one.name for one in fields(ArticleFacts) if one.name != "markdown"]
    return ArticleFacts(**lines_of(form, *names), markdown=markdown_of(form.get("markdown") or [""], base))


def markdown_of(sent: Sequence[str], base: str = "") -> str:
    """The text of a form, with the line ends and the end of the text that it was made from."""
    text = sent[0].replace("\r\n", "\n").replace("\r", "\n")
    plain = base.replace("\r\n", "\n")
    if text.rstrip("\n") == plain.rstrip("\n") and base:
        return base
    text = text.rstrip("\n") + "\n"
    return text.replace("\n", "\r\n") if "\r\n" in base else text


def cents_of(form: FormData, name: str = "price") -> int:
    """An amount as people write it, 129 or 129.00, in cents. Raises `Invalid`."""
    typed = (form.get(name) or [""])[0].strip().lstrip("$€£").strip()
    if not typed.isascii() or not _MONEY.fullmatch(typed):
        raise Invalid({name: "Enter an amount like 129 or 129.00."})
    whole, _, part = typed.replace(",", ".").partition(".")
    return int(whole) * 100 + int(part or 0)
