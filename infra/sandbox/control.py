"""The control API: trouble and time on order, for tests and development. README.md lists it.

Only while PAY_SANDBOX_CONTROL is on, only from this machine, only as JSON: a web page that the developer
happens to visit can neither read it nor post to it.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from litestar import Router, get, post, put
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from infra.sandbox import disputes, payments, refunds
from infra.sandbox.errors import ApiError, missing, refused
from infra.sandbox.faults import Fault, FaultKind, WebhookTrouble
from infra.sandbox.ledger import Object
from infra.sandbox.sandbox import Sandbox

Count = Annotated[int, Meta(ge=0, le=100_000)]
Seconds = Annotated[float, Meta(ge=0, le=10**9)]


class ClockShift(Struct, forbid_unknown_fields=True):
    shift_seconds: Annotated[float, Meta(ge=-(10**9), le=10**9)]


class Webhooks(Struct, forbid_unknown_fields=True):
    duplicate: Count = 0
    drop: Count = 0
    delay_seconds: Seconds = 0
    jitter_seconds: Seconds = 0
    types: list[str] = []


class WebhookEndpoints(Struct, forbid_unknown_fields=True):
    urls: list[str]
    secret: Annotated[str, Meta(pattern="^whsec_")]


class FaultOrder(Struct, forbid_unknown_fields=True):
    kind: FaultKind
    method: str = "*"
    path: str = "/v1/"
    count: Annotated[int, Meta(ge=1, le=100_000)] = 1
    seconds: Seconds = 1
    every: Annotated[int, Meta(ge=1, le=100_000)] = 1


class Settlement(Struct, forbid_unknown_fields=True):
    outcome: Literal["succeeded", "failed"]


class NextRefunds(Struct, forbid_unknown_fields=True):
    status: Literal["pending", "failed"]
    count: Annotated[int, Meta(ge=1, le=1000)] = 1


class DisputeOrder(Struct, forbid_unknown_fields=True):
    reason: str = "fraudulent"


class DisputeOutcome(Struct, forbid_unknown_fields=True):
    outcome: Literal["under_review", "won", "lost"]


class HandRefund(Struct, forbid_unknown_fields=True):
    amount: Annotated[int, Meta(ge=1)] | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


def is_trusted(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Control is on, and the caller is on this machine and asks for it by its own name (no DNS rebinding)."""
    sandbox: Sandbox = connection.app.state.sandbox
    host = urlsplit(f"//{connection.headers.get('host', '')}").hostname
    return (
        sandbox.settings.is_control_on
        and connection.client is not None
        and connection.client.host in {"127.0.0.1", "::1"}
        and host in {"127.0.0.1", "localhost", "::1"}
    )


def only_here(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    is_reading = connection.scope.get("method") == "GET"
    is_json = connection.headers.get("content-type", "").startswith("application/json")
    if not is_trusted(connection) or not (is_reading or is_json):
        raise NotFoundException


@get("/state")
async def show_state(state: State) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    pool = sandbox.ledger.pool
    objects = await pool.fetch("SELECT kind, count(*) AS n FROM object GROUP BY kind")
    deliveries = await pool.fetch("SELECT state, count(*) AS n FROM delivery GROUP BY state")
    found = {row["kind"]: row["n"] for row in objects}
    kinds = ("checkout.session", "payment_intent", "charge", "refund", "dispute", "event")
    states = ("waiting", "delivered", "dropped", "given_up")
    counts = {row["state"]: row["n"] for row in deliveries}
    return {
        "now": sandbox.ledger.clock.now().isoformat(),
        "shift_seconds": sandbox.ledger.clock.shift.total_seconds(),
        "objects": {kind: found.get(kind, 0) for kind in kinds},
        "deliveries": {name: counts.get(name, 0) for name in states},
        "endpoints": list(sandbox.courier.endpoints.urls),
        "faults_waiting": sum(fault.count for fault in sandbox.ledger.trouble.calls),
    }


@get("/deliveries")
async def list_deliveries(state: State) -> list[dict[str, Any]]:
    sandbox: Sandbox = state.sandbox
    rows = await sandbox.ledger.pool.fetch(
        "SELECT delivery.event_id, object.body ->> 'type' AS type, endpoint, state, attempts, answer"
        " FROM delivery JOIN object ON object.id = event_id ORDER BY delivery.id"
    )
    return [dict(row) for row in rows]


@post("/reset", status_code=200)
async def reset(state: State) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    await sandbox.courier.forget()
    await sandbox.ledger.reset()
    return {}


@post("/clock", status_code=200)
async def shift_clock(state: State, data: ClockShift) -> dict[str, Any]:
    """Answers when everything that became due has happened."""
    sandbox: Sandbox = state.sandbox
    await sandbox.ledger.shift_clock(timedelta(seconds=data.shift_seconds))
    await sandbox.clockwork.catch_up()
    sandbox.courier.wake()
    return {"now": sandbox.ledger.clock.now().isoformat()}


@put("/webhooks")
async def trouble_webhooks(state: State, data: Webhooks) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    sandbox.ledger.trouble.webhooks = WebhookTrouble(
        duplicate=data.duplicate,
        drop=data.drop,
        delay=timedelta(seconds=data.delay_seconds),
        jitter=timedelta(seconds=data.jitter_seconds),
        types=tuple(data.types),
    )
    return {}


@put("/webhooks/endpoints")
async def move_webhooks(state: State, data: WebhookEndpoints) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    sandbox.deliver_to(tuple(data.urls), data.secret)
    return {}


@post("/faults", status_code=200)
async def order_fault(state: State, data: FaultOrder) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    sandbox.ledger.trouble.calls.append(
        Fault(data.kind, data.method.upper(), data.path, data.count, data.seconds, data.every)
    )
    return {}


@post("/sessions/{object_id:str}/settlement", status_code=200)
async def settle(state: State, object_id: FromPath[str], data: Settlement) -> Object:
    sandbox: Sandbox = state.sandbox
    async with sandbox.ledger.transaction() as tx:
        checkout = await payments.settle(tx, object_id, is_successful=data.outcome == "succeeded")
    sandbox.courier.wake()
    return checkout


@post("/charges/{object_id:str}/dispute", status_code=200)
async def dispute(state: State, object_id: FromPath[str], data: DisputeOrder) -> Object:
    sandbox: Sandbox = state.sandbox
    if data.reason not in disputes.REASONS:
        raise refused(f"reason must be one of {', '.join(disputes.REASONS)}", param="reason")
    async with sandbox.ledger.transaction() as tx:
        opened = await disputes.open_dispute(tx, object_id, reason=data.reason)
    sandbox.courier.wake()
    return opened


@post("/disputes/{object_id:str}/outcome", status_code=200)
async def decide_dispute(state: State, object_id: FromPath[str], data: DisputeOutcome) -> Object:
    sandbox: Sandbox = state.sandbox
    async with sandbox.ledger.transaction() as tx:
        moved = await disputes.move(tx, object_id, to=data.outcome)
    sandbox.courier.wake()
    return moved


@post("/refunds/next", status_code=200)
async def order_refunds(state: State, data: NextRefunds) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    sandbox.ledger.trouble.refund_statuses.extend([data.status] * data.count)
    return {}


@post("/refunds/{object_id:str}/outcome", status_code=200)
async def conclude_refund(state: State, object_id: FromPath[str], data: Settlement) -> Object:
    sandbox: Sandbox = state.sandbox
    async with sandbox.ledger.transaction() as tx:
        refund = await refunds.conclude(tx, object_id, is_successful=data.outcome == "succeeded")
    sandbox.courier.wake()
    return refund


@post("/charges/{object_id:str}/refund", status_code=200)
async def refund_by_hand(state: State, object_id: FromPath[str], data: HandRefund) -> Object:
    sandbox: Sandbox = state.sandbox
    async with sandbox.ledger.transaction() as tx:
        refund = await refunds.create_by_hand(tx, object_id, amount=data.amount, reason=data.reason)
    sandbox.courier.wake()
    return refund


@post("/events/{object_id:str}/resend", status_code=200)
async def resend(state: State, object_id: FromPath[str]) -> dict[str, Any]:
    sandbox: Sandbox = state.sandbox
    async with sandbox.ledger.transaction() as tx:
        if await tx.find(object_id, "event") is None:
            raise missing("event", object_id)
        if not tx.endpoints:
            raise ApiError(400, "There is no webhook endpoint to send to.")
        await tx.connection.execute(
            "INSERT INTO delivery (event_id, endpoint, state, created_at, next_attempt_at)"
            " SELECT $1, endpoint, 'waiting', $2, $2 FROM generate_series(0, $3 - 1) AS endpoint",
            object_id,
            tx.now,
            tx.endpoints,
        )
    sandbox.courier.wake()
    return {}


router = Router(
    "/_control",
    route_handlers=[
        show_state,
        list_deliveries,
        reset,
        shift_clock,
        trouble_webhooks,
        move_webhooks,
        order_fault,
        settle,
        dispute,
        decide_dispute,
        order_refunds,
        conclude_refund,
        refund_by_hand,
        resend,
    ],
    guards=[only_here],
)
