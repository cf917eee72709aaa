"""Orders for machines: JSON in, JSON out, errors as problem+json (RFC 9457). Described at /api/openapi.json."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from redis.asyncio import Redis

from models.accounts.states import Scope
from models.base.clock import now
from models.jobs import progress
from models.jobs.estimates import pace
from models.jobs.states import UNFINISHED
from models.orders.queries import OrderView, order_view, texts_of, versions_of
from models.orders.reviewing import regenerable_at, regenerate, submit
from models.orders.states import OrderStatus, Product
from web.guards import scope
from web.json_bodies import json_body
from web.params import Config, Transaction, Who

AnyRequest = Request[Any, Any, Any]
News = NamedDependency[Redis]

MESSAGES: Final = {
    Product.BACKLINK: {
        OrderStatus.PROCESSING: "The link is being placed.",
        OrderStatus.QUALITY_CHECK: "A version waits for your decision.",
        OrderStatus.ADMIN_REVIEW: "An editor looks at it.",
        OrderStatus.COMPLETED: "The link is published.",
        OrderStatus.FAILED: "The order has ended without a link.",
    },
    Product.ARTICLE: {
        OrderStatus.PROCESSING: "The article is being written.",
        OrderStatus.QUALITY_CHECK: "A version waits for your decision.",
        OrderStatus.ADMIN_REVIEW: "An editor looks at it.",
        OrderStatus.COMPLETED: "The article is published.",
        OrderStatus.FAILED: "The order has ended without an article.",
    },
}
#: Each status as a step of the way.
STEPS: Final = {
    OrderStatus.PROCESSING: (1, "Making the text"),
    OrderStatus.QUALITY_CHECK: (2, "Waiting for your decision"),
    OrderStatus.ADMIN_REVIEW: (3, "Waiting for the editor"),
    OrderStatus.COMPLETED: (4, "Published"),
    OrderStatus.FAILED: (4, "Ended"),
}


class OrderNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Which order is meant."""

    orderId: UUID  # noqa: N815 - the interface is JSON's, and was there first


class VersionNamed(OrderNamed):
    """Which order is meant, and which of its versions."""

    versionId: UUID  # noqa: N815 - as above


class Purchases(Controller):
    """The orders of whoever is signed in, or of whose token is shown."""

    path = "/api/v1/purchase"

    @get("/status/{order_id:uuid}", guards=[scope(Scope.ORDERS_READ)])
    async def status(
        self, session: Transaction, visitor: Who, settings: Config, redis: News, order_id: FromPath[UUID]
    ) -> Response[dict[str, Any]]:
        """How far the order is."""
        person = visitor.somebody
        view = await order_view(session, order_id, person.id)
        order = view.order
        step, description = STEPS[order.status]
        shown = await versions_of(session, view)
        version = next((one for one in shown if one.id == order.version_id), next(iter(shown), None))
        is_open = order.status is OrderStatus.QUALITY_CHECK and view.is_movable
        at = now()
        can_again = is_open and await regenerable_at(session, settings, order_id, at) <= at
        answer = {
            "status": order.status.value,
            "statusMessage": MESSAGES[order.product][order.status],
            "progress": {"step": step, "total": 4, "description": description},
            "version": None
            if version is None
            else {
                "versionId": str(version.id),
                "content": (await texts_of(session, version))[1],
                "qcStatus": "passed" if version.is_qc_passed else "failed",
            },
            "queue": await _queue(redis, view),
            "canRegenerateBacklink": can_again,
            "canSubmitForReview": is_open and version is not None,
        }
        return Response(answer, headers={"Cache-Control": "no-store"})

    @post("/regenerate-backlink", status_code=200, guards=[scope(Scope.ORDERS_WRITE)])
    async def regenerate_backlink(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config
    ) -> Response[dict[str, Any]]:
        """Have another version written."""
        named = await json_body(request, OrderNamed)
        order = await regenerate(session, settings, named.orderId, visitor.somebody)
        view = await order_view(session, order.id, order.person_id)
        lately = await pace(session, view.job.kind, view.job.queue) if view.job else None
        usual = lately.run_usual if lately else settings.orders.promise_minutes * timedelta(minutes=1)
        seconds = round(usual.total_seconds())
        data = {
            "jobId": str(view.generation.job_id) if view.generation else None,
            "estimatedTime": seconds,
            "note": "A letter is sent when it is ready. Earlier versions stay to choose from.",
        }
        return Response({"success": True, "message": "Another version is on its way.", "data": data})

    @post("/submit-for-review", status_code=200, guards=[scope(Scope.ORDERS_WRITE)])
    async def submit_for_review(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config
    ) -> Response[dict[str, Any]]:
        """Hand a version to the editors."""
        named = await json_body(request, VersionNamed)
        order = await submit(session, settings, named.orderId, named.versionId, visitor.somebody)
        data = {"orderId": str(order.id), "versionId": str(named.versionId), "status": order.status.value}
        return Response({"success": True, "message": "The editors have the version now.", "data": data})


async def _queue(redis: Redis, view: OrderView) -> dict[str, Any]:
    job = view.job
    if job is None or job.state not in UNFINISHED or view.order.status is not OrderStatus.PROCESSING:
        return {"hasActiveJob": False, "jobs": []}
    shown = await progress.read(redis, job.id)
    seen = shown if shown is not None and shown.attempt >= job.attempt else job
    return {
        "hasActiveJob": True,
        "jobs": [
            {
                "jobId": str(job.id),
                "state": job.state.value,
                "attempt": job.attempt,
                "attempts": job.max_attempts,
                "progress": {"step": seen.done, "total": seen.total, "description": seen.words},
            }
        ],
    }
