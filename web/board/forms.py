"""What the forms of the board are read into."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import EnumType
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from uuid import UUID

import orjson
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from models.base.clock import now
from models.base.errors import Invalid
from models.jobs.limits import Limit, Rate
from models.jobs.message import MAX_ARGS_BYTES, Job, kinds
from models.jobs.retention import LONGEST_DAYS
from web.forms import text, whole
from web.jobs.types import FARTHEST

_MOST = 1_000_000
#: By their types, arguments as they could be.
_SIGNS: Final = {UUID: str(UUID(int=0)), int: 0, float: 0.0, bool: False, str: ""}
#: The fields of a limit.
LIMIT: Final = ("max_running", "rate_count", "rate_seconds", "rate_burst")
#: U+0000 as JSON writes it: PostgreSQL keeps it in no text. After an escaped backslash the same letters are a word.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _object(typed: str) -> dict[str, Any]:
    try:
        found = orjson.loads(typed)
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"This is no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    if not isinstance(found, dict):
        raise ValueError("Write an object, like {} or the example.")  # noqa: TRY004 - forms read by ValueError
    if _NUL.search(typed):
        raise ValueError("Leave out the character U+0000.")
    return found


def _moment(typed: str) -> datetime:
    try:
        found = datetime.fromisoformat(typed)
    except ValueError:
        raise ValueError("Enter a day and a time, like 2026-03-02T09:30.") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not now() < found < now() + FARTHEST:
        raise ValueError(f"Enter a time within the next {FARTHEST.days} days, or none to run it at once.")
    return found


#: The arguments of a job as JSON.
arguments = text(
    "Write the arguments as JSON, {} for none.", max_length=MAX_ARGS_BYTES, is_prose=True, then=_object
)


@dataclass(frozen=True, slots=True)
class Editing:
    """Other arguments for a job."""

    args: Annotated[dict[str, Any], arguments]


@dataclass(frozen=True, slots=True)
class Asking:
    """A job asked for by hand."""

    args: Annotated[dict[str, Any], arguments]
    priority: Annotated[int | None, whole("", least=0, most=9)] = None
    run_at: Annotated[datetime | None, text(then=_moment)] = None


@dataclass(frozen=True, slots=True)
class Limiting:
    """A limit. A rate wants both of its numbers."""

    max_running: Annotated[int | None, whole("", least=1, most=_MOST)] = None
    rate_count: Annotated[int | None, whole("", least=1, most=_MOST)] = None
    rate_seconds: Annotated[int | None, whole("", least=1, most=_MOST)] = None
    rate_burst: Annotated[int | None, whole("", least=1, most=_MOST)] = None
    #: What it was when the form was opened.
    seen: Annotated[str, text(max_length=200)] = ""

    def problems(self) -> dict[str, str]:
        """What single fields cannot show."""
        rate = {"rate_count": self.rate_count, "rate_seconds": self.rate_seconds}
        missing = [name for name, number in rate.items() if number is None]
        if len(missing) == 1:
            words = "A rate is so many jobs in so many seconds: fill in both, or leave both empty."
            return dict.fromkeys(missing, words)
        # What stood there with a rate goes with it. What is typed where there was none is a wish, and cannot be met.
        if missing and self.rate_burst is not None and "after a rest" not in self.seen:
            words = "“At once after a rest” goes with a rate: fill in its jobs and seconds, or leave this empty too."
            return {"rate_burst": words}
        return {}

    @property
    def limit(self) -> Limit | None:
        """The limit, or None if every field was left empty."""
        rate = None
        if self.rate_count is not None and self.rate_seconds is not None:
            rate = Rate(self.rate_count, self.rate_seconds, self.rate_burst)
        return Limit(self.max_running, rate) if self.max_running is not None or rate is not None else None


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days finished jobs are kept."""

    keep_days: Annotated[int | None, whole("", least=1, most=LONGEST_DAYS)] = None
    #: What it was when the form was opened.
    seen: Annotated[str, text(max_length=200)] = ""


def filled(row: object, names: Sequence[str]) -> dict[str, Any]:
    """What a form begins with: those fields that the row has a value for."""
    return {name: value for name in names if (value := getattr(row, name, None)) is not None}


def by_hand() -> dict[str, type[Job]]:
    """The kinds that may be asked for by hand: those without secrets, which nobody should type into a form."""
    return {kind: one for kind, one in sorted(kinds().items()) if not one.secrets}


def example(message: type[Job]) -> str:
    """Arguments of this kind as they could be: their defaults, and for those that must be given something of their type."""
    return pretty({one.encode_name: _sample(one) for one in fields(message)})


def _sample(one: FieldInfo) -> Any:
    if one.default is not NODEFAULT:
        return one.default
    if one.default_factory is not NODEFAULT:
        return one.default_factory()
    hint = get_args(one.type)[0] if get_origin(one.type) is Annotated else one.type
    if isinstance(hint, EnumType):
        return next(iter(hint))
    return get_args(hint)[0] if get_origin(hint) is Literal else _SIGNS.get(hint)


def pretty(value: Any) -> str:
    """JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def changes(former: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """Which arguments are others now, and what they were as far as that names nobody: ids, numbers and truths."""
    names = sorted(one for one in former.keys() | args.keys() if former.get(one) != args.get(one))
    return ", ".join(f"{one} was {former[one]}" if _names_nobody(former.get(one)) else one for one in names)


def _names_nobody(value: Any) -> bool:
    try:
        return isinstance(value, bool | int | float) or bool(UUID(value))
    except (ValueError, TypeError, AttributeError):
        return False


def at_args(refusal: Invalid) -> dict[str, str]:
    """The problems of a form, those of single arguments told at the one field that they are typed into."""
    inside = {name: words for name, words in refusal.fields.items() if name.startswith("args.")}
    problems = {name: words for name, words in refusal.fields.items() if name not in inside}
    if inside:
        problems["args"] = " ".join(
            f"{name.removeprefix('args.')}: {words}" for name, words in inside.items()
        )
    return problems
