"""The description of a JSON interface, for people and programs that write against it (OpenAPI 3.1): made of chapters,
one for each part of the product that has an interface.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from models.accounts.states import Scope

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
ID: Final[Schema] = {"type": "string", "format": "uuid"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
COUNT: Final[Schema] = {"type": "integer"}
#: Server-sent events.
STREAM: Final = "text/event-stream"

#: What a problem's `detail` says, by its status.
DETAILS: Final[Mapping[int, str]] = {
    401: "Nobody is signed in here. Send a token in the header Authorization; people make theirs on the account page.",
    403: "This token does not have the scope that is named here. Make a token with it on your account page.",
    404: "There is no such thing, or it is not yours.",
    405: "This address does not take that. The header Allow names what it takes.",
    409: "It is in another state by now.",
    410: "There was such a thing. It does not come back.",
    413: "What you sent is larger than the 64 KiB that are taken here. Nothing was changed. Send less of it at once.",
    415: "What you sent is of a kind that is not taken here. Send JSON as it is, not compressed, "
    "with the header Content-Type: application/json.",
    422: "The fields are not as they should be.",
    429: "This was asked for too often in your name. Wait 12 seconds and try again.",
}
#: The header that comes with an answer, by its status.
_HEADERS: Final[Mapping[int, tuple[str, str, Schema]]] = {
    401: ("WWW-Authenticate", "`Bearer`, and why a token that was shown does not work", TEXT),
    405: ("Allow", "The methods that this address takes", TEXT),
    429: ("Retry-After", "Seconds to wait", COUNT),
}
#: The headers of every answer where requests are counted, but for those that are refused before they are.
_STANDING: Final = (
    (
        "RateLimit-Limit",
        "How many requests of this sort you may send at once, and again in each minute",
        COUNT,
    ),
    ("RateLimit-Remaining", "How many of them are left", COUNT),
    ("RateLimit-Reset", "Seconds until all of them are left again; they come back one by one", COUNT),
)
_BEFORE_COUNTING: Final = frozenset({401, 403, 405})


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a program may ask for: where, with which scope, what it sends and what it gets."""

    method: str
    path: str
    name: str
    words: str
    scope: Scope
    #: The schema of the answer, and an example of it; None for one that is not JSON.
    answer: str | None
    example: Any
    #: The statuses that may come beside those that come of its being asked with a token, an id, a query or a body.
    problems: tuple[int, ...]
    body: type | None = None
    #: Examples of what is sent, by what they show.
    sent: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    #: What may stand in the query, each with its schema.
    query: Mapping[str, Schema] = field(default_factory=dict)
    #: What the answer may be, the example's kind first.
    media_types: tuple[str, ...] = ("application/json",)
    #: Other statuses of the same answer, each with what it says.
    likewise: Mapping[int, str] = field(default_factory=dict)
    #: What the header Location names.
    location: str | None = None
    #: An example of what is said of fields that are wrong.
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def refusals(self) -> list[int]:
        """The statuses of every problem that may come of it."""
        found = {401, 403, 405, *self.problems}
        if "{" in self.path:
            found.add(404)
        if self.query:
            found.add(422)
        if self.body is not None:
            found |= {413, 415, 422}
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one part of the product adds to the description."""

    operations: tuple[Operation, ...]
    schemas: Mapping[str, Schema]
    #: Examples of the ids that stand in paths, by their names.
    ids: Mapping[str, str]
    #: What a problem's `detail` says here, by its status.
    details: Mapping[int, str] = field(default_factory=dict)


def object_of(properties: Schema, *optional: str) -> Schema:
    """The schema of an object whose properties are all there, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def or_null(schema: Schema) -> Schema:
    """The same, or nothing."""
    return {"oneOf": [schema, {"type": "null"}]}


def document(public_url: str, chapters: Iterable[Chapter]) -> dict[str, Any]:
    """The whole description, for an installation at this address."""
    chapters = list(chapters)
    kinds = dict.fromkeys(one.body for chapter in chapters for one in chapter.operations if one.body)
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    bodies = dict(zip(kinds, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for chapter in chapters:
        schemas |= chapter.schemas
        for one in chapter.operations:
            paths.setdefault(one.path, {})[one.method] = _operation(one, chapter, bodies)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Galley",
            "version": "1",
            "description": "Orders and jobs of the person who is signed in, or whose token is shown. Tokens are made on "
            "the account page, with the scopes that each operation names. Without a token, requests that change "
            "something carry the session's form token in the header `X-CSRF-Token`. Fields of a body that "
            "are not described here are refused, and so are parameters of a list.",
        },
        "servers": [{"url": public_url}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`glt_…`"},
                "session": {"type": "apiKey", "in": "cookie", "name": "galley_session"},
            },
            "schemas": {**schemas, "Problem": _PROBLEM},
        },
    }


def _operation(one: Operation, chapter: Chapter, bodies: Mapping[type, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.words,
        "description": f"Scope `{one.scope.value}`.",
        "parameters": _parameters(one, chapter),
        "responses": _responses(one, chapter),
    }
    if one.body is not None:
        examples = {name: {"value": value} for name, value in one.sent.items()}
        content = {"application/json": {"schema": bodies[one.body], "examples": examples}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(one: Operation, chapter: Chapter) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": ID, "example": chapter.ids[name]}
        for name in re.findall(r"{(\w+)}", one.path)
    ]
    found += [{"name": name, "in": "query", "schema": schema} for name, schema in one.query.items()]
    if STREAM in one.media_types:
        seen = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": TEXT}
        found.append(seen | {"description": "The `id` of what was told last, which is not told again"})
    if one.method == "post":
        token = {"name": "X-CSRF-Token", "in": "header", "required": False, "schema": TEXT}
        found.append(token | {"description": "With a session only"})
    return found


def _responses(one: Operation, chapter: Chapter) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{one.answer}"} if one.answer else TEXT
    good: Schema = {kind: {"schema": schema} for kind in one.media_types}
    good[one.media_types[0]]["example"] = one.example
    found: dict[str, Any] = {
        str(status): {"description": words, "content": good} | _headers(one, status)
        for status, words in {one.status: "Done", **one.likewise}.items()
    }
    for status in one.refusals:
        title = HTTPStatus(status).phrase
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": chapter.details.get(status, DETAILS[status]),
            "reference": "3f2a9c1d5e7b8a60",
        }
        if status == HTTPStatus.UNPROCESSABLE_ENTITY and one.faults:
            problem["fields"] = dict(one.faults)
        shape = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem}
        content = {"application/problem+json": shape}
        found[str(status)] = {"description": title, "content": content} | _headers(one, status)
    return found


def _headers(one: Operation, status: int) -> Schema:
    """The headers that come with this status, if there are any."""
    named = [_HEADERS[status]] if status in _HEADERS else []
    if one.location and status not in one.refusals:
        named.append(("Location", one.location, TEXT))
    headers = {
        name: {"description": words, "required": True, "schema": schema} for name, words, schema in named
    }
    if HTTPStatus.TOO_MANY_REQUESTS in one.problems and status not in _BEFORE_COUNTING:
        # While the counts cannot be reached, requests are answered without them.
        headers |= {name: {"description": words, "schema": schema} for name, words, schema in _STANDING}
    return {"headers": headers} if headers else {}


_PROBLEM: Final = object_of(
    {
        "type": TEXT,
        "title": TEXT,
        "status": COUNT,
        "detail": TEXT,
        "reference": {"type": ["string", "null"]},
        "fields": {
            "type": "object",
            "additionalProperties": TEXT,
            "description": "With 422: each field that is wrong, as it was sent (`data.to`), and what to send instead",
        },
    },
    "fields",
)
