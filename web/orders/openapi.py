"""The description of the JSON interface, for people and programs that write against it (OpenAPI 3.1)."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import Response, get

from models.accounts.states import Scope
from web.orders.admin.api import FILTERS, Approval, ArticleOrder, Refund, Return
from web.orders.api import OrderNamed, VersionNamed
from web.params import Config

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
DECIDED_EXAMPLE: Final = {
    "success": True,
    "message": "Published.",
    "data": {"orderId": EXAMPLE_ORDER, "status": "COMPLETED"},
}
LIST_EXAMPLE: Final = {
    "orders": [
        {
            "orderId": EXAMPLE_ORDER,
            "number": "G-1042",
            "status": "ADMIN_REVIEW",
            "paymentState": "paid",
            "amountCents": 19900,
            "currency": "usd",
            "isTest": False,
            "targetUrl": "https://example.com/guide",
            "article": "Water for coffee",
            "site": "The Second Pour",
            "customer": "ada@example.com",
            "createdAt": "2026-03-02T09:30:00+00:00",
            "updatedAt": "2026-03-02T09:31:12+00:00",
        }
    ],
    "nextCursor": None,
}
COMMISSIONED_EXAMPLE: Final = {
    "commissionId": "0192f1c9-55ab-7d0e-8a77-1c2d3e4f5a6b",
    "articleId": "0192f1c9-55a9-7b3c-9d10-6f7a8b9c0d1e",
    "jobId": EXAMPLE_JOB,
}
PROBLEMS: Final[dict[int, tuple[str, str]]] = {
    401: ("Sign in to go on", "Nobody is signed in here. Sign in and try again."),
    403: ("That was not allowed", "The form token is missing or not this session's."),
    404: ("Page not found", "There is no such order."),
    409: ("That is not possible any more", "A new version is being made already."),
    422: ("There is a problem", "The fields are not as they should be."),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a program may ask for: where, with which scope, what it sends and what it gets."""

    method: str
    path: str
    name: str
    words: str
    scope: Scope
    answer: str
    example: dict[str, Any]
    problems: tuple[int, ...]
    body: type | None = None
    sent: dict[str, Any] | None = None
    status: int = 200


_READ: Final = (401, 403, 404)
_WRITE: Final = (401, 403, 404, 409, 422)
_PURCHASE: Final = "/api/v1/purchase"
_ADMIN: Final = "/api/v1/admin"
_VERSION_SENT: Final = {"versionId": EXAMPLE_VERSION}
_REASON_SENT: Final = {"reason": "The sentence repeats its heading."}

OPERATIONS: Final = (
    Operation(
        "get", f"{_PURCHASE}/status/{{orderId}}", "getStatus", "How far an order is",
        Scope.ORDERS_READ, "Status", STATUS_EXAMPLE, _READ,
    ),
    Operation(
        "post", f"{_PURCHASE}/regenerate-backlink", "regenerateBacklink", "Have another version written",
        Scope.ORDERS_WRITE, "Regenerated", REGENERATED_EXAMPLE, _WRITE, OrderNamed, {"orderId": EXAMPLE_ORDER},
    ),
    Operation(
        "post", f"{_PURCHASE}/submit-for-review", "submitForReview", "Hand a version to the editors",
        Scope.ORDERS_WRITE, "Submitted", SUBMITTED_EXAMPLE, _WRITE, VersionNamed,
        {"orderId": EXAMPLE_ORDER} | _VERSION_SENT,
    ),
    Operation(
        "get", f"{_ADMIN}/orders", "listOrders", "Everybody's orders, the latest first",
        Scope.ADMIN_READ, "Orders", LIST_EXAMPLE, (401, 403, 422),
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/approve", "approve", "Publish the version that was looked at",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _WRITE, Approval, _VERSION_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/send-back", "sendBack", "Return an order to its customer",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _WRITE, Return, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/reject", "reject", "End an order and give its money back",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _WRITE, Return, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/refund", "refund", "Give the money of an ended order back",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _WRITE, Refund, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/article-orders", "orderArticle", "Have an article written for a site",
        Scope.ADMIN_WRITE, "Commissioned", COMMISSIONED_EXAMPLE, _WRITE, ArticleOrder,
        {"site": "second-pour", "topic": "Descaling an espresso machine", "keyword": "descaling"}, 201,
    ),
)  # fmt: skip


@get("/api/openapi.json")
async def openapi(settings: Config) -> Response[dict[str, Any]]:
    """The description of this interface (OpenAPI 3.1)."""
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(document(settings.app.public_url), headers=headers)


def document(public_url: str) -> dict[str, Any]:
    """The whole description, for an installation at this address."""
    kinds = list(dict.fromkeys(one.body for one in OPERATIONS if one.body is not None))
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    bodies = dict(zip(kinds, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one, bodies)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Galley orders",
            "version": "1",
            "description": "Orders of the person who is signed in, or whose token is shown. Tokens are made on the "
            "account page, with the scopes that each operation names. Without a token, requests that change "
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
            "schemas": {**schemas, **_SCHEMAS},
        },
    }


def _operation(one: Operation, bodies: dict[type, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.words,
        "description": f"Scope `{one.scope.value}`.",
        "parameters": _parameters(one),
        "responses": _responses(one),
    }
    if one.body is not None:
        content = {"application/json": {"schema": bodies[one.body], "example": one.sent}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "{orderId}" in one.path:
        order = {"name": "orderId", "in": "path", "required": True, "schema": _ID, "example": EXAMPLE_ORDER}
        found.append(order)
    if one.name == "listOrders":
        shapes = {
            "q": _TEXT,
            "site": _TEXT,
            **{name: {"enum": values} for name, values in FILTERS.items()},
            "cursor": {"type": "string", "description": "The `nextCursor` of the page before"},
        }
        found += [{"name": name, "in": "query", "schema": shape} for name, shape in shapes.items()]
    if one.method == "post":
        token = {"name": "X-CSRF-Token", "in": "header", "required": False, "schema": _TEXT}
        found.append(token | {"description": "With a session only"})
    return found


def _responses(one: Operation) -> dict[str, Any]:
    good = {"schema": {"$ref": f"#/components/schemas/{one.answer}"}, "example": one.example}
    found: dict[str, Any] = {str(one.status): {"description": "Done", "content": {"application/json": good}}}
    for status in one.problems:
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
    "Decided": _object(
        {
            "success": {"const": True},
            "message": _TEXT,
            "data": _object({"orderId": _ID, "status": {"enum": STATUSES}}),
        }
    ),
    "Orders": _object(
        {
            "orders": {
                "type": "array",
                "items": _object(
                    {
                        "orderId": _ID,
                        "number": _TEXT,
                        "status": {"enum": STATUSES},
                        "paymentState": {"enum": FILTERS["payment"]},
                        "amountCents": {"type": "integer"},
                        "currency": _TEXT,
                        "isTest": {"type": "boolean"},
                        "targetUrl": _TEXT,
                        "article": _TEXT,
                        "site": _TEXT,
                        "customer": _TEXT,
                        "createdAt": {"type": "string", "format": "date-time"},
                        "updatedAt": {"type": "string", "format": "date-time"},
                    }
                ),
            },
            "nextCursor": {"type": ["string", "null"]},
        }
    ),
    "Commissioned": _object({"commissionId": _ID, "articleId": _ID, "jobId": {"type": ["string", "null"]}}),
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
