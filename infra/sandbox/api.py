"""The door of the API: keys, idempotency, ordered faults, and the answer in Stripe's form.

Idempotency as in docs.stripe.com/api/idempotent_requests: the first result of a key, good or bad, is
answered again; the same key with other parameters is an error; a key in use is a conflict. The result is
written in the transaction that does the work, so a crash loses both or neither.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from litestar import Request as HttpRequest
from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.types import Receive, Scope, Send

from infra.sandbox import API_VERSION, forms, lists, objects
from infra.sandbox.calls import CALLS, Call, Request
from infra.sandbox.clockwork import KEYS_KEPT_FOR
from infra.sandbox.errors import ApiError
from infra.sandbox.faults import Fault, FaultKind
from infra.sandbox.ledger import Cause, Transaction
from infra.sandbox.sandbox import Sandbox

_MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    request_id: str
    original_request_id: str | None = None
    """Set when this is the replay of an earlier answer."""


class LostAnswer(Response[None]):
    """No answer at all: the head promises a body, and the connection closes before it."""

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        async def hang_up(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  the ASGI signature
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})

        return hang_up


@route(
    ["/v1", "/v1/{rest:path}"],
    http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE, HttpMethod.PUT, HttpMethod.PATCH],
    status_code=200,
)
async def api(request: HttpRequest[Any, Any, Any]) -> Response[Any]:
    sandbox: Sandbox = request.app.state.sandbox
    request_id = objects.new_id("req", 14)
    path = request.url.path.rstrip("/")
    try:
        _check_key(request.headers.get("authorization", ""))
        fault = sandbox.ledger.trouble.take_fault(request.method, path)
        _fail_at_once(fault)
        answer = await _answer(sandbox, request, path, request_id, fault)
    except ApiError as error:
        answer = Answer(error.status, orjson.dumps(error.body()), request_id)
    else:
        if fault is not None and fault.kind is FaultKind.LOST_ANSWER:
            lost = ApiError(502, "The call was executed; its answer was lost on order of the control API.")
            return _response(request, Answer(502, orjson.dumps(lost.body()), request_id))
        if fault is not None and fault.kind is FaultKind.DROPPED_CONNECTION:
            return LostAnswer(None)
    sandbox.courier.wake()
    return _response(request, answer)


def _response(request: HttpRequest[Any, Any, Any], answer: Answer) -> Response[bytes]:
    headers = {
        "Request-Id": answer.request_id,
        "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        "Cache-Control": "no-cache, no-store",
    }
    if key := request.headers.get("idempotency-key", "")[:_MAX_KEY]:
        headers["Idempotency-Key"] = key
        headers["Original-Request"] = answer.original_request_id or answer.request_id
    if answer.original_request_id is not None:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.body, media_type="application/json", status_code=answer.status, headers=headers)


def _check_key(authorization: str) -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise ApiError(
            401, "You did not provide an API key. The pay sandbox takes any key that begins with sk_test_."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise ApiError(
            401,
            "This is the pay sandbox, and you sent it a live key. It takes test keys only (sk_test_…). "
            "Consider the key exposed to this machine's logs, and find out why it was sent here.",
        )
    if not re.fullmatch(r"sk_test_[A-Za-z0-9_]+", key):
        raise ApiError(
            401, "Invalid API Key provided. The pay sandbox takes any key that begins with sk_test_."
        )


def _fail_at_once(fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.kind is FaultKind.RATE_LIMITED:
        raise ApiError(429, "Too many requests hit the API too quickly (as ordered).", code="rate_limit")
    if fault.kind is FaultKind.SERVER_ERROR:
        raise ApiError(500, "An error occurred, as ordered; nothing was done.", kind="api_error")


async def _answer(
    sandbox: Sandbox, request: HttpRequest[Any, Any, Any], path: str, request_id: str, fault: Fault | None
) -> Answer:
    call, object_id = _find(request.method, path)
    pairs = await _pairs(request)
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key is not None and not 1 <= len(key) <= _MAX_KEY:
        raise ApiError(400, f"Idempotency keys have 1 to {_MAX_KEY} characters.", kind="idempotency_error")
    async with sandbox.ledger.transaction(Cause(request_id, key)) as tx:
        fingerprint = hashlib.sha256(orjson.dumps([path, sorted(pairs)])).hexdigest()
        if key is not None and (kept := await _kept(tx, key, fingerprint, request_id)) is not None:
            return kept
        if fault is not None and fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        params = call.params.read(forms.nested(pairs), "")
        answer = await _run(tx, call, Request(path, object_id, params, sandbox.public_url), request_id)
        if key is not None:
            await tx.connection.execute(
                "INSERT INTO idempotency_key (key, fingerprint, request_id, status, body, created_at)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                key,
                fingerprint,
                request_id,
                answer.status,
                answer.body,
                tx.now,
            )
    return answer


def _find(method: str, path: str) -> tuple[Call, str]:
    for call in CALLS:
        object_id = call.match(method, path)
        if object_id is not None:
            return call, object_id
    raise ApiError(404, f"Unrecognized request URL ({method}: {path}): not implemented by the sandbox.")


async def _pairs(request: HttpRequest[Any, Any, Any]) -> list[tuple[str, str]]:
    raw = request.scope["query_string"] if request.method == "GET" else await request.body()
    try:
        return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=1000, errors="strict")
    except ValueError as error:
        raise ApiError(400, "The parameters are not a form in UTF-8.") from error


async def _run(tx: Transaction, call: Call, request: Request, request_id: str) -> Answer:
    """Do the work in a savepoint: a refusal undoes it, and may still be kept as the key's result."""
    try:
        async with tx.connection.transaction():
            body = await call.run(tx, request)
            await lists.expand(tx, body, request.params.get("expand", []))
    except ApiError as error:
        if not error.is_result:
            raise
        return Answer(error.status, orjson.dumps(error.body()), request_id)
    return Answer(200, orjson.dumps(body), request_id)


async def _kept(tx: Transaction, key: str, fingerprint: str, request_id: str) -> Answer | None:
    is_mine = await tx.connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 20))", key)
    if not is_mine:
        raise ApiError(
            409,
            "There is currently another in-progress request using this Idempotent Key. Please try again later.",
            code="idempotency_key_in_use",
            kind="idempotency_error",
        )
    await tx.connection.execute(
        "DELETE FROM idempotency_key WHERE key = $1 AND created_at < $2", key, tx.now - KEYS_KEPT_FOR
    )
    row = await tx.connection.fetchrow("SELECT * FROM idempotency_key WHERE key = $1", key)
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise ApiError(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return Answer(row["status"], row["body"], request_id, original_request_id=row["request_id"])
