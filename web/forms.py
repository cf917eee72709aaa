"""Forms: from the fields that a browser sent to a typed value, or to every mistake at once.

    @dataclass(frozen=True, slots=True)
    class Invitation:
        email: Annotated[str, text("Enter an e-mail address", max_length=254, then=normal_address)]
        reason: Annotated[Reason, choice(Reason, "Choose a reason")]
        notes: Annotated[str, text(max_length=2000, is_prose=True)] = ""

    invitation = read(Invitation, form)   # or Invalid, whose `fields` the form is shown again with

A form with a method `problems()` may refuse what single fields cannot show.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request
from litestar.exceptions import ClientException, HTTPException

from models.base.errors import Invalid
from models.base.rules import is_visible

#: The fields of a form as they came, each with all its values.
FormData: TypeAlias = dict[str, list[str]]
#: Makes a value from what one field was sent with; raises ValueError with the words to show at the field.
Reader = Callable[[Sequence[str]], Any]

F = TypeVar("F")
E = TypeVar("E", bound=StrEnum)

URLENCODED: Final = "application/x-www-form-urlencoded"
#: For handlers that take files and say so with `opt={"uploads": True}`.
MULTIPART: Final = "multipart/form-data"
MOST_FIELDS: Final = 200
_WHOLE: Final = re.compile(r"-?[0-9]+")
#: Digits of a number that is worth reading: Python refuses to read thousands of them.
_MOST_DIGITS: Final = 20
#: Characters that turn the direction of what follows: invisible, and good only for disguise (UTR 36).
BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


async def submitted(request: Request[Any, Any, Any]) -> FormData:
    """The fields of the form in the request's body; an empty mapping when there is no body.

    Litestar's own parser keeps the bodies of the last thousand requests, with what people typed, in memory.
    """
    if "form" not in request.scope["state"]:
        body = await request.body()
        if body and request.content_type[0] != URLENCODED:
            raise HTTPException(status_code=415, detail=f"Send the fields as {URLENCODED}.")
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise ClientException("The form could not be read.") from error
        form: FormData = {}
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        request.scope["state"]["form"] = form
    found: FormData = request.scope["state"]["form"]
    return found


def read(form_class: type[F], data: Mapping[str, Sequence[str] | str]) -> F:
    """Make a `form_class` of the fields; raise `Invalid` with what is wrong with each of them.

    A field that was not sent reads as an empty one. Fields that the class does not name are ignored.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, reader, default in _readers(form_class):
        sent = data.get(name, ())
        sent = (sent,) if isinstance(sent, str) else sent
        if not any(map(is_visible, sent)) and default is not MISSING:
            values[name] = default
            continue
        try:
            values[name] = reader(sent)
        except Invalid as error:
            problems[name] = next(iter(error.fields.values()), error.words)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise Invalid(problems)
    form = form_class(**values)
    further: Callable[[], Mapping[str, str]] | None = getattr(form, "problems", None)
    if further is not None and (more := further()):
        raise Invalid(more)
    return form


def shown(data: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The fields as they came, one value each, to fill a form with that is shown again."""
    return {name: values[0] for name, values in data.items() if values}


def _readers(form_class: type[Any]) -> list[tuple[str, Reader, Any]]:
    hints = get_type_hints(form_class, include_extras=True)
    found: list[tuple[str, Reader, Any]] = []
    for one in fields(form_class):
        hint = hints[one.name]
        if get_origin(hint) is not Annotated:
            raise TypeError(f"{form_class.__name__}.{one.name} does not say how it is read")
        found.append((one.name, get_args(hint)[1], one.default))
    return found


# ---------------------------------------------------------------- readers
def clean(value: str, *, is_prose: bool = False) -> str:
    """`value` in Unicode's composed form (NFC), without surrounding space; raise ValueError for characters
    that nobody can see. Prose may have tabs and line ends, which become single newlines.
    """
    value = unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n").strip()
    allowed = "\n\t" if is_prose else ""
    for character in value:
        hidden = unicodedata.category(character) in {"Cc", "Cs"} or character in BIDI_CONTROLS
        if hidden and character not in allowed:
            raise ValueError("Remove the characters that cannot be seen, or type it instead of pasting it.")
    return value


def text(
    missing: str | None = None,
    *,
    max_length: int | None = 200,
    is_prose: bool = False,
    then: Callable[[str], Any] | None = None,
) -> Reader:
    """Text. `missing` is said when there is none (without it, none is fine); `then` makes more of it, or refuses.

    `max_length` of None leaves it to a rule of `models` to say how long it may be.
    """

    def reader(sent: Sequence[str]) -> Any:
        value = clean(sent[0] if sent else "", is_prose=is_prose)
        if not is_visible(value):
            if missing is not None:
                raise ValueError(missing)
            return ""
        if max_length is not None and len(value) > max_length:
            raise ValueError(f"Shorten this to {max_length:,} characters; it has {len(value):,}.")
        return then(value) if then is not None else value

    return reader


def choice(options: type[E], missing: str) -> Reader:
    """One of the values of an enumeration."""

    def reader(sent: Sequence[str]) -> E:
        try:
            return options(sent[0] if sent else "")
        except ValueError:
            raise ValueError(missing) from None

    return reader


def identity(missing: str) -> Reader:
    """The id of something that the page offered."""

    def reader(sent: Sequence[str]) -> UUID:
        try:
            return UUID(sent[0] if sent else "")
        except ValueError:
            raise ValueError(missing) from None

    return reader


def whole(missing: str, *, least: int, most: int) -> Reader:
    """A whole number from `least` to `most`."""

    def reader(sent: Sequence[str]) -> int:
        value = clean(sent[0] if sent else "")
        if not value:
            raise ValueError(missing)
        if not _WHOLE.fullmatch(value):
            raise ValueError("Enter a whole number, like 12.")
        if len(value) > _MOST_DIGITS or not least <= int(value) <= most:
            raise ValueError(f"Enter a number from {least:,} to {most:,}.")
        return int(value)

    return reader


def tick(missing: str | None = None) -> Reader:
    """A box that is ticked or not; `missing` is said when it must be and is not."""

    def reader(sent: Sequence[str]) -> bool:
        if missing is not None and not any(sent):
            raise ValueError(missing)
        return any(sent)

    return reader
