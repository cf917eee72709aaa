"""The description of a JSON interface, for people and programs that write against it (OpenAPI 3.1): made of chapters,
one for each part of the product that has an interface.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from models.accounts.states import Scope

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
ID: Final[Schema] = {"type": "string", "format": "uuid"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
COUNT: Final[Schema] = {"type": "integer"}

PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("Sign in to go on", "Nobody is signed in here. Sign in and try again."),
    403: ("That was not allowed", "The form token is missing or not this session's."),
    404: ("Page not found", "There is no such thing, or it is not yours."),
    409: ("That is not possible any more", "It is in another state by now."),
    422: ("There is a problem", "The fields are not as they should be."),
    429: ("Too many requests", "This was asked for too often in your name. Wait 12 seconds and try again."),
}


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
    problems: tuple[int, ...]
    body: type | None = None
    #: Examples of what is sent, by what they show.
    sent: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    #: What may stand in the query, each with its schema.
    query: Mapping[str, Schema] = field(default_factory=dict)
    media_type: str = "application/json"


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
            "something carry the session's form token in the header `X-CSRF-Token`.",
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
    if one.method == "post":
        token = {"name": "X-CSRF-Token", "in": "header", "required": False, "schema": TEXT}
        found.append(token | {"description": "With a session only"})
    return found


def _responses(one: Operation, chapter: Chapter) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{one.answer}"} if one.answer else TEXT
    good = {one.media_type: {"schema": schema, "example": one.example}}
    found: dict[str, Any] = {str(one.status): {"description": "Done", "content": good}}
    for status in one.problems:
        title, detail = PROBLEMS[status]
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": chapter.details.get(status, detail),
            "reference": "3f2a9c1d5e7b8a60",
        }
        shape = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem}
        found[str(status)] = {"description": title, "content": {"application/problem+json": shape}}
    return found


_PROBLEM: Final = object_of(
    {
        "type": TEXT,
        "title": TEXT,
        "status": COUNT,
        "detail": TEXT,
        "reference": {"type": ["string", "null"]},
        "fields": {"type": "object", "additionalProperties": TEXT},
    },
    "fields",
)
