"""What the description of the JSON interface says about orders."""

from typing import Any, Final

from models.accounts.states import Scope
from web.openapi import COUNT, ID, MOMENT, TEXT, Chapter, Operation, object_of, or_null
from web.orders.admin.api import FILTERS, Approval, ArticleOrder, Refund, Return
from web.orders.api import OrderNamed, VersionNamed

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
_MOVED: Final = (404, 409)
_PURCHASE: Final = "/api/v1/purchase"
_ADMIN: Final = "/api/v1/admin"
_VERSION_SENT: Final = {"a version": {"versionId": EXAMPLE_VERSION}}
_REASON_SENT: Final = {"why": {"reason": "The sentence repeats its heading."}}

OPERATIONS: Final = (
    Operation(
        "get", f"{_PURCHASE}/status/{{orderId}}", "getStatus", "How far an order is",
        Scope.ORDERS_READ, "Status", STATUS_EXAMPLE, (),
    ),
    Operation(
        "post", f"{_PURCHASE}/regenerate-backlink", "regenerateBacklink", "Have another version written",
        Scope.ORDERS_WRITE, "Regenerated", REGENERATED_EXAMPLE, _MOVED, OrderNamed, {"of an order": {"orderId": EXAMPLE_ORDER}},
    ),
    Operation(
        "post", f"{_PURCHASE}/submit-for-review", "submitForReview", "Hand a version to the editors",
        Scope.ORDERS_WRITE, "Submitted", SUBMITTED_EXAMPLE, _MOVED, VersionNamed,
        {"a version": {"orderId": EXAMPLE_ORDER, "versionId": EXAMPLE_VERSION}},
    ),
    Operation(
        "get", f"{_ADMIN}/orders", "listOrders", "Everybody's orders, the latest first",
        Scope.ADMIN_READ, "Orders", LIST_EXAMPLE, (404,),
        query={
            "q": TEXT,
            "site": TEXT,
            **{name: {"enum": values} for name, values in FILTERS.items()},
            "cursor": {"type": "string", "description": "The `nextCursor` of the page before"},
        },
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/approve", "approve", "Publish the version that was looked at",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _MOVED, Approval, _VERSION_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/send-back", "sendBack", "Return an order to its customer",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _MOVED, Return, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/reject", "reject", "End an order and give its money back",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _MOVED, Return, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/orders/{{orderId}}/refund", "refund", "Give the money of an ended order back",
        Scope.ADMIN_WRITE, "Decided", DECIDED_EXAMPLE, _MOVED, Refund, _REASON_SENT,
    ),
    Operation(
        "post", f"{_ADMIN}/article-orders", "orderArticle", "Have an article written for a site",
        Scope.ADMIN_WRITE, "Commissioned", COMMISSIONED_EXAMPLE, _MOVED, ArticleOrder,
        {"an article": {"site": "second-pour", "topic": "Descaling an espresso machine", "keyword": "descaling"}}, 201,
    ),
)  # fmt: skip

_MAYBE: Final = {"type": ["integer", "null"]}
_STEP: Final = object_of({"step": _MAYBE, "total": _MAYBE, "description": {"type": ["string", "null"]}})
_JOB: Final = object_of(
    {
        "jobId": ID,
        "state": {"enum": ["scheduled", "waiting", "active"]},
        "attempt": COUNT,
        "attempts": COUNT,
        "progress": _STEP,
    }
)
_VERSION: Final = object_of(
    {
        "versionId": ID,
        "content": {"type": "string", "description": "The whole article as Markdown"},
        "qcStatus": {"enum": ["passed", "failed"]},
    }
)
_SCHEMAS: Final[dict[str, Any]] = {
    "Status": object_of(
        {
            "status": {"enum": STATUSES},
            "statusMessage": TEXT,
            "progress": _STEP,
            "version": or_null(_VERSION),
            "queue": object_of(
                {"hasActiveJob": {"type": "boolean"}, "jobs": {"type": "array", "items": _JOB}}
            ),
            "canRegenerateBacklink": {"type": "boolean"},
            "canSubmitForReview": {"type": "boolean"},
        }
    ),
    "Regenerated": object_of(
        {
            "success": {"const": True},
            "message": TEXT,
            "data": object_of(
                {
                    "jobId": ID,
                    "estimatedTime": {"type": "integer", "description": "Seconds"},
                    "note": TEXT,
                }
            ),
        }
    ),
    "Submitted": object_of(
        {
            "success": {"const": True},
            "message": TEXT,
            "data": object_of({"orderId": ID, "versionId": ID, "status": {"enum": STATUSES}}),
        }
    ),
    "Decided": object_of(
        {
            "success": {"const": True},
            "message": TEXT,
            "data": object_of({"orderId": ID, "status": {"enum": STATUSES}}),
        }
    ),
    "Orders": object_of(
        {
            "orders": {
                "type": "array",
                "items": object_of(
                    {
                        "orderId": ID,
                        "number": TEXT,
                        "status": {"enum": STATUSES},
                        "paymentState": {"enum": FILTERS["payment"]},
                        "amountCents": COUNT,
                        "currency": TEXT,
                        "isTest": {"type": "boolean"},
                        "targetUrl": TEXT,
                        "article": TEXT,
                        "site": TEXT,
                        "customer": TEXT,
                        "createdAt": MOMENT,
                        "updatedAt": MOMENT,
                    }
                ),
            },
            "nextCursor": {"type": ["string", "null"]},
        }
    ),
    "Commissioned": object_of({"commissionId": ID, "articleId": ID, "jobId": {"type": ["string", "null"]}}),
}

CHAPTER: Final = Chapter(
    OPERATIONS,
    _SCHEMAS,
    {"orderId": EXAMPLE_ORDER},
    {404: "There is no such order.", 409: "A new version is being made already."},
)
