"""What the forms of orders, and the catalogue's search, are read into."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Final
from uuid import UUID

from models.base.errors import Invalid
from models.orders.article_orders import ArticleWish
from models.orders.catalogue.queries import Search, Sort
from models.orders.drafts import Wish
from models.orders.states import RegenerateReason
from web.forms import FormData, choice, identity, read, shown, text
from web.lists import searched
from web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Details:
    """The order form. What is missing, too long or wrong is said by the rules of drafts, all of it at once."""

    email: Annotated[str, text(max_length=None)] = ""
    target_url: Annotated[str, text(max_length=None)] = ""
    #: Two spaces that somebody typed are one in print.
    anchor_text: Annotated[str, text(max_length=None, then=lambda typed: " ".join(typed.split()))] = ""
    notes: Annotated[str, text(max_length=None, is_prose=True)] = ""


@dataclass(frozen=True, slots=True)
class ArticleDetails:
    """The form of a whole article. Its rules say what is missing or wrong, likewise."""

    email: Annotated[str, text(max_length=None)] = ""
    topic: Annotated[str, text(max_length=None)] = ""
    keyword: Annotated[str, text(max_length=None)] = ""
    notes: Annotated[str, text(max_length=None, is_prose=True)] = ""


def empty(visitor: Visitor) -> dict[str, str]:
    """A form that nobody has typed into, with the address of whoever is signed in."""
    return {"email": visitor.person.email if visitor.person else ""}


def wish_of(form: FormData, visitor: Visitor) -> tuple[Wish, dict[str, str]]:
    """What the order form asks for, and what could not even be read of it, by field."""
    typed, problems = _typed(form, visitor, Details)
    return Wish(**typed), problems


def article_wish_of(form: FormData, visitor: Visitor) -> tuple[ArticleWish, dict[str, str]]:
    """The same of a whole article's form."""
    typed, problems = _typed(form, visitor, ArticleDetails)
    return ArticleWish(**typed), problems


def _typed(form: FormData, visitor: Visitor, details: type[Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What was typed, read if it can be. Whoever is signed in orders for their own address, whatever a form says."""
    given = form | ({"email": [visitor.person.email]} if visitor.person else {})
    try:
        return asdict(read(details, given)), {}
    except Invalid as refusal:
        raw = shown(given)
        return {one.name: raw.get(one.name, "").strip() for one in fields(details)}, refusal.fields


@dataclass(frozen=True, slots=True)
class Regenerating:
    """What the customer says about a version, if anything: never more than the list has."""

    reason: Annotated[RegenerateReason | None, choice(RegenerateReason, "Choose one of the reasons.")] = None


@dataclass(frozen=True, slots=True)
class Submitting:
    """The chosen version, and the newest one that the page showed."""

    version_id: Annotated[UUID, identity("Choose the version that you want to have published.")]
    latest_seen: Annotated[UUID, identity("Reload this page, then choose a version.")]


# ---------------------------------------------------------------- the catalogue's search
_CENTS: Final = 100
_MOST: Final = 1_000_000


def search_of(asked: Mapping[str, str], site: str = "") -> tuple[Search, dict[str, str]]:
    """The search that an address asks for, and what is wrong with it by field. A wrong filter filters nothing."""
    problems: dict[str, str] = {}
    least = _cents(asked.get("min", ""), "min", problems)
    most = _cents(asked.get("max", ""), "max", problems)
    if least is not None and most is not None and least > most:
        problems["max"] = "Enter a price that is not below the lowest one."
    try:
        sort = Sort(asked.get("sort") or Sort.NEWEST)
    except ValueError:
        sort = Sort.NEWEST
    search = Search(
        query=searched(asked.get("q", "")),
        niche=searched(asked.get("niche", "")),
        language=searched(asked.get("language", "")),
        site=site or searched(asked.get("site", "")),
        min_cents=least,
        max_cents=most if "max" not in problems else None,
        sort=sort,
    )
    return search, problems


def _cents(value: str, name: str, problems: dict[str, str]) -> int | None:
    value = value.strip().lstrip("$€£")
    if not value:
        return None
    if not (
        value.isascii() and value.isdigit() and int(value[:9]) <= _MOST and len(value) <= len(str(_MOST))
    ):
        problems[name] = "Enter a whole number, like 150."
        return None
    return int(value) * _CENTS


def first_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first value of each field of a query string."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
