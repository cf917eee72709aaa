"""Bodies of the JSON API: read into a typed struct, or refused with what is wrong and where."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from models.base.errors import Invalid

T = TypeVar("T")

#: The escape of U+0000, which no text of PostgreSQL can hold; a backslash before it would make it six characters.
_NOTHING: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
#: What the body may be called: JSON, by itself or as the syntax of something.
_JSON: Final = re.compile(r"application/(?:[\w.!#$&^-]+\+)?json")


async def json_body(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The request's JSON as a `kind`; raise `Invalid` with what is wrong with it, or answer 415 if it is no JSON."""
    if not _JSON.fullmatch(request.content_type[0].lower()):
        raise HTTPException(status_code=415)
    body = await request.body()
    if _NOTHING.search(body):
        raise Invalid({"body": "Leave out the character U+0000."}, "The body could not be read.")
    return decoded(body, kind)


def decoded(body: bytes | msgspec.Raw, kind: type[T], within: str = "") -> T:
    """JSON as a `kind`; raise `Invalid` with what is wrong with it. `within` is the field that it is the value of."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refused(error, within) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid({"body": "Send a JSON object in UTF-8."}, "The body could not be read.") from error


def query_as(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The query of the address as a `kind`; raise `Invalid` with what is wrong with it."""
    fields: Mapping[str, str] = dict(request.query_params.items())
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(error) from error


def _refused(error: msgspec.ValidationError, within: str = "") -> Invalid:
    words, _, where = str(error).partition(" - at `$.")
    field = where.rstrip("`") or next(iter(words.split("`")[1::2]), "body")
    return Invalid(
        {".".join(filter(None, (within, field))): f"{words}."}, "The fields are not as they should be."
    )
