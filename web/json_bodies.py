"""Bodies and queries of the JSON API: read into a typed struct, or refused with each field that is wrong and what to
send instead, all at once.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import isinf
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from models.base.errors import Invalid
from models.base.rules import VISIBLE

T = TypeVar("T", bound=msgspec.Struct)
AnyRequest = Request[Any, Any, Any]

#: How many fields that there are not are named, so that no answer is much longer than what was sent.
MOST_UNKNOWN: Final = 20
WORDS: Final = "The fields are not as they should be."
_UNREAD: Final = "The body could not be read."
HALF: Final = "Leave out the half of a surrogate pair (\\ud800 to \\udfff): only both halves are a character."
#: What the body may be called: JSON, by itself or as the syntax of something.
_JSON: Final = re.compile(r"application/(?:[\w.!#$&^-]+\+)?json")


async def json_body(request: AnyRequest, kind: type[T]) -> T:
    """The request's JSON as a `kind`; raise `Invalid` with all that is wrong with it, or answer 415 if it is no JSON."""
    return _right(*read(await json_object(request), kind))


async def json_object(request: AnyRequest) -> dict[str, Any]:
    """The request's JSON object; raise `Invalid` if it is none, or answer 415 if it does not say that it is JSON."""
    is_plain = request.headers.get("content-encoding", "identity") == "identity"
    if not is_plain or not _JSON.fullmatch(request.content_type[0].lower()):
        raise HTTPException(status_code=415)
    try:
        # The one reader that tells of a name that stands twice. NaN and Infinity are no JSON: `int` refuses them.
        text = (await request.body()).decode()
        sent = json.loads(text, object_pairs_hook=_once, parse_constant=int, parse_float=_finite)
        # JSON can name half of a surrogate pair, which neither a row nor an answer could hold.
        json.dumps(sent, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Invalid({"body": f"Send a JSON object in UTF-8: {error}."}, _UNREAD) from error
    except UnicodeEncodeError as error:
        raise Invalid({"body": HALF}, _UNREAD) from error
    except (ValueError, RecursionError) as error:
        raise Invalid({"body": "Send a JSON object in UTF-8."}, _UNREAD) from error
    if not isinstance(sent, dict):
        raise Invalid({"body": "Send a JSON object: { … }."}, _UNREAD)
    return sent


def _finite(digits: str) -> float:
    """A number with a fraction. Raises `ValueError` for one that is too large to be kept."""
    number = float(digits)
    if isinf(number):
        raise ValueError(digits)
    return number


def _once(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object, each of whose names stands once. Raises `Invalid`: of two values nobody knows which is meant."""
    found = dict(fields)
    if len(found) < len(fields):
        twice, _ = Counter(name for name, _ in fields).most_common(1)[0]
        raise Invalid({"body": f"Give each name once: {twice!r:.60} stands twice in one object."}, _UNREAD)
    return found


def query_as(request: AnyRequest, kind: type[T]) -> T:
    """The query of the address as a `kind`; raise `Invalid` with all that is wrong with it."""
    sent = request.query_params.dict()
    found, faults = read({name: values[0] for name, values in sent.items()}, kind, is_text=True)
    twice = {name: "Give this once." for name, values in sent.items() if len(values) > 1}
    return _right(found, twice | faults)


def read(sent: Mapping[str, Any], kind: type[T], *, is_text: bool = False) -> tuple[T, dict[str, str]]:
    """What was sent as a `kind`, and what is wrong with each field, by the name that its sender knows.

    A field that is wrong has its default, or is an empty text if it has none. In a query everything `is_text`.
    """
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    there_are = f"There is no such field. There are: {', '.join(fields)}."
    faults = dict.fromkeys(islice((name for name in sent if name not in fields), MOST_UNKNOWN), there_are)
    right: dict[str, Any] = {}
    for name, field in fields.items():
        if field.required:
            right[field.name] = ""
        if name not in sent:
            if field.required:
                faults[name] = f"This is missing. {_wanted(field.type)}"
        elif isinstance(sent[name], str) and "\x00" in sent[name]:
            faults[name] = "Leave out the character U+0000."
        else:
            try:
                right[field.name] = msgspec.convert(_number(sent[name]), field.type, strict=not is_text)
            except msgspec.ValidationError:
                faults[name] = _wanted(field.type)
            # `null` in a query is what a program writes that forgot to fill its variable.
            if is_text and right.get(field.name, "") is None:
                faults[name] = _wanted(field.type)
    return kind(**right), faults


def _number(value: Any) -> Any:
    """5.0 as 5: to JSON Schema, and to programs that have one sort of number, they are the same."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _right(found: T, faults: Mapping[str, str]) -> T:
    if faults:
        raise Invalid(faults, WORDS)
    return found


def _wanted(kind: Any) -> str:
    """What a field of this type takes, as its description says it to programs."""
    whole = msgspec.json.schema(kind)
    shape = whole.get("anyOf", [whole])[0]
    match whole["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape:
        case {"enum": [*words]}:
            wanted = f"one of these: {', '.join(words)}"
        case {"type": "integer", "minimum": least, "maximum": most}:
            wanted = f"a whole number from {least:,} to {most:,}"
        case {"format": "date-time"}:
            wanted = "a moment with its time zone, as 2026-03-02T09:30:00+01:00"
        case {"format": "uuid"}:
            wanted = "an id, as 0192f1c6-0f02-7d10-a0c4-52a0c1b7e9aa"
        case {"type": "string", "pattern": pattern, "minLength": least, "maxLength": most} if (
            pattern == VISIBLE
        ):
            wanted = f"a text of {least:,} to {most:,} characters, and not of blanks alone"
        case {"type": "string", "minLength": least, "maxLength": most}:
            wanted = f"a text of {least:,} to {most:,} characters"
        case {"type": "string", "maxLength": most}:
            wanted = f"a text of at most {most:,} characters"
        case {"type": "string"}:
            wanted = "a text"
        case {"type": "object"}:
            wanted = "an object"
        case _:
            wanted = "what the description names"
    return f"Send {wanted}."
