"""What the forms of orders, and the catalogue's search, are read into."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from models.base.errors import Invalid
from models.orders.catalogue import Search, Sort
from models.orders.drafts import Wish
from models.orders.rules import MAX_NOTES, MAX_URL
from models.orders.states import RegenerateReason
from web.forms import FormData, choice, identity, read, shown, text

#: Above what any rule allows, so that the rule itself says what is wrong with what is too long.
_GENEROUS: Final = 3 * MAX_URL


@dataclass(frozen=True, slots=True)
class Details:
    """The order form. What is missing or wrong is said by the rules of drafts, all of it at once."""

    email: Annotated[str, text(max_length=_GENEROUS)] = ""
    target_url: Annotated[str, text(max_length=_GENEROUS)] = ""
    anchor_text: Annotated[str, text(max_length=_GENEROUS)] = ""
    notes: Annotated[str, text(max_length=20 * MAX_NOTES, is_prose=True)] = ""


def wish_of(form: FormData, email: str | None) -> tuple[Wish, dict[str, str]]:
    """What the order form asks for, and what could not even be read of it, by field.

    `email` is the signed-in person's, which no form can change.
    """
    typed = {"email": [email]} if email is not None else {}
    fields: FormData = {**form, **typed}
    try:
        details = read(Details, fields)
    except Invalid as refusal:
        raw = shown(fields)
        wish = Wish(*(raw.get(name, "").strip() for name in ("email", "target_url", "anchor_text", "notes")))
        return wish, refusal.fields
    return Wish(details.email, details.target_url, details.anchor_text, details.notes), {}


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
#: Nobody types more into a search field; what is longer is cut, not refused.
_LONGEST_QUERY: Final = 200
_CENTS: Final = 100
_MOST: Final = 1_000_000


def search_of(fields: Mapping[str, str], site: str = "") -> tuple[Search, dict[str, str]]:
    """The search that an address asks for, and what is wrong with it by field. A wrong filter filters nothing."""
    problems: dict[str, str] = {}
    least = _cents(fields.get("min", ""), "min", problems)
    most = _cents(fields.get("max", ""), "max", problems)
    if least is not None and most is not None and least > most:
        problems["max"] = "Enter a price that is not below the lowest one."
    try:
        sort = Sort(fields.get("sort") or Sort.NEWEST)
    except ValueError:
        sort = Sort.NEWEST
    search = Search(
        query=_plain(fields.get("q", ""))[:_LONGEST_QUERY],
        niche=_plain(fields.get("niche", "")),
        language=_plain(fields.get("language", "")),
        site=site or _plain(fields.get("site", "")),
        min_cents=least,
        max_cents=most if "max" not in problems else None,
        sort=sort,
    )
    return search, problems


def _plain(value: str) -> str:
    # PostgreSQL takes no NUL, and no lone surrogate can be sent to it.
    return "".join(one for one in value.strip() if one.isprintable())


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
