"""The description of the JSON interface, for people and programs that write against it (OpenAPI 3.1)."""

from typing import Any, Final

import msgspec

EXAMPLE_ORDER: Final = "0192f1c4-7a3b-7cc2-9d41-5f0f6f2a9b11"
EXAMPLE_VERSION: Final = "0192f1c6-10aa-7e55-8b1c-0b8f8a1d2c34"
EXAMPLE_JOB: Final = "0192f1c6-0f02-7d10-a0c4-52a0c1b7e9aa"

STATUSES: Final = ["PROCESSING", "QUALITY_CHECK", "ADMIN_REVIEW", "COMPLETED", "FAILED"]
STATUS_EXAMPLE: Final = {
    "status": "QUALITY_CHECK",
    "statusMessage": "A version waits for your decision.",
    "progress": {"step": 2, "total": 4, "description": "Waiting for your decision"},
    "version": {"versionId": EXAMPLE_VERSION, "content": "# Water …", "qcStatus": "passed"},
    "queue": {"hasActiveJob": False, "jobs": []},
    "canRegenerateBacklink": True,
    "canSubmitForReview": True,
}
REGENERATED_EXAMPLE: Final = {
    "success": True,
    "message": "Another version is on its way.",
    "data": {
        "jobId": EXAMPLE_JOB,
        "estimatedTime": 4,
        "note": "A letter is sent when it is ready. Earlier versions stay to choose from.",
    },
}
SUBMITTED_EXAMPLE: Final = {
    "success": True,
    "message": "The editors have the version now.",
    "data": {"orderId": EXAMPLE_ORDER, "versionId": EXAMPLE_VERSION, "status": "ADMIN_REVIEW"},
}
PROBLEMS: Final[dict[int, tuple[str, str]]] = {
    401: ("Sign in to go on", "Nobody is signed in here. Sign in and try again."),
    403: ("That was not allowed", "The form token is missing or not this session's."),
    404: ("Page not found", "There is no such order."),
    409: ("That is not possible any more", "A new version is being made already."),
    422: ("There is a problem", "The fields are not as they should be."),
}


def document(public_url: str, order_named: type, version_named: type) -> dict[str, Any]:
    """The whole description, for an installation at this address."""
    bodies, schemas = msgspec.json.schema_components(
        [order_named, version_named], ref_template="#/components/schemas/{name}"
    )
    named = [{"orderId": EXAMPLE_ORDER}, {"orderId": EXAMPLE_ORDER, "versionId": EXAMPLE_VERSION}]
    base = "/api/v1/purchase"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Galley orders",
            "version": "1",
            "description": "Orders of the person who is signed in. Requests that change something carry the "
            "session's form token in the header `X-CSRF-Token`.",
        },
        "servers": [{"url": public_url}],
        "security": [{"session": []}],
        "paths": {
            f"{base}/status/{{orderId}}": {
                "get": {
                    "operationId": "getStatus",
                    "summary": "How far an order is",
                    "parameters": [
                        {
                            "name": "orderId",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "string", "format": "uuid"},
                            "example": EXAMPLE_ORDER,
                        }
                    ],
                    "responses": _responses("Status", STATUS_EXAMPLE, 401, 404),
                }
            },
            f"{base}/regenerate-backlink": _post(
                "regenerateBacklink",
                "Have another version written",
                bodies[0],
                named[0],
                _responses("Regenerated", REGENERATED_EXAMPLE, 401, 403, 404, 409, 422),
            ),
            f"{base}/submit-for-review": _post(
                "submitForReview",
                "Hand a version to the editors",
                bodies[1],
                named[1],
                _responses("Submitted", SUBMITTED_EXAMPLE, 401, 403, 404, 409, 422),
            ),
        },
        "components": {
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "galley_session"}},
            "schemas": {**schemas, **_SCHEMAS},
        },
    }


def _post(
    operation: str, words: str, body: dict[str, Any], example: dict[str, Any], responses: dict[str, Any]
) -> dict[str, Any]:
    token = {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}}
    content = {"application/json": {"schema": body, "example": example}}
    return {
        "post": {
            "operationId": operation,
            "summary": words,
            "parameters": [token],
            "requestBody": {"required": True, "content": content},
            "responses": responses,
        }
    }


def _responses(name: str, example: dict[str, Any], *problems: int) -> dict[str, Any]:
    good = {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}
    found: dict[str, Any] = {"200": {"description": "Done", "content": {"application/json": good}}}
    for status in problems:
        title, detail = PROBLEMS[status]
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "reference": "3f2a9c1d5e7b8a60",
        }
        shape = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem}
        found[str(status)] = {"description": title, "content": {"application/problem+json": shape}}
    return found


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Final = {"type": "string"}
_ID: Final = {"type": "string", "format": "uuid"}
_COUNT: Final = {"type": ["integer", "null"]}
_STEP: Final = _object({"step": _COUNT, "total": _COUNT, "description": {"type": ["string", "null"]}})
_JOB: Final = _object(
    {
        "jobId": _ID,
        "state": {"enum": ["scheduled", "waiting", "active"]},
        "attempt": {"type": "integer"},
        "attempts": {"type": "integer"},
        "progress": _STEP,
    }
)
_VERSION: Final = _object(
    {
        "versionId": _ID,
        "content": {"type": "string", "description": "The whole article as Markdown"},
        "qcStatus": {"enum": ["passed", "failed"]},
    }
)
_SCHEMAS: Final[dict[str, Any]] = {
    "Status": _object(
        {
            "status": {"enum": STATUSES},
            "statusMessage": _TEXT,
            "progress": _STEP,
            "version": {"oneOf": [_VERSION, {"type": "null"}]},
            "queue": _object({"hasActiveJob": {"type": "boolean"}, "jobs": {"type": "array", "items": _JOB}}),
            "canRegenerateBacklink": {"type": "boolean"},
            "canSubmitForReview": {"type": "boolean"},
        }
    ),
    "Regenerated": _object(
        {
            "success": {"const": True},
            "message": _TEXT,
            "data": _object(
                {
                    "jobId": _ID,
                    "estimatedTime": {"type": "integer", "description": "Seconds"},
                    "note": _TEXT,
                }
            ),
        }
    ),
    "Submitted": _object(
        {
            "success": {"const": True},
            "message": _TEXT,
            "data": _object({"orderId": _ID, "versionId": _ID, "status": {"enum": STATUSES}}),
        }
    ),
    "Problem": _object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "reference": {"type": ["string", "null"]},
            "fields": {"type": "object", "additionalProperties": _TEXT},
        },
        "fields",
    ),
}
