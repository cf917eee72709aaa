"""Bodies of the JSON API: read into a typed struct, or refused with what is wrong and where."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from models.base.errors import Invalid

T = TypeVar("T")


async def json_body(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The request's JSON as a `kind`; raise `Invalid` with what is wrong with it."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.ValidationError as error:
        words, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`") or next(iter(words.split("`")[1::2]), "body")
        raise Invalid({field: f"{words}."}, "The fields are not as they should be.") from error
    except msgspec.DecodeError as error:
        raise Invalid({"body": "Send a JSON object."}, "The body could not be read.") from error
