"""Every call that the sandbox answers: method, path, parameters, and what it does.

A call that is not here is answered 404 "not implemented by the sandbox". The contract test walks `CALLS` and
looks up every parameter in the parameter classes of the pinned library.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox import checkout, lists, refunds
from infra.sandbox.errors import missing
from infra.sandbox.forms import (
    Choice,
    Created,
    Email,
    Flag,
    Items,
    Metadata,
    Number,
    Record,
    Shape,
    Text,
    Url,
)
from infra.sandbox.ledger import Object, Transaction


@dataclass(frozen=True, slots=True)
class Request:
    """One call with its parameters read. `object_id` is empty where the path names none."""

    path: str
    object_id: str
    params: dict[str, Any]
    public_url: str


Run = Callable[[Transaction, Request], Awaitable[Object]]


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    pattern: str
    """The path, `{id}` standing for an object's id."""
    params: Record
    run: Run

    def match(self, method: str, path: str) -> str | None:
        """The id in the path, empty if it has none; None if this is another call."""
        if method != self.method:
            return None
        match = re.fullmatch(self.pattern.replace("{id}", r"(?P<id>[A-Za-z0-9_]+)"), path)
        return None if match is None else match.groupdict().get("id", "")


_EXPAND: dict[str, Shape] = {"expand": Items(Text())}
_PAGE: dict[str, Shape] = {
    **_EXPAND,
    "limit": Number(minimum=1, maximum=100),
    "starting_after": Text(),
    "ending_before": Text(),
}

LINE_ITEM = Record(
    {
        "price_data": Record(
            {
                "currency": Text(minimum=3, maximum=3),
                "unit_amount": Number(),
                "product_data": Record(
                    {
                        "name": Text(),
                        "description": Text(),
                        "images": Items(Url(), maximum=8),
                        "metadata": Metadata(),
                    },
                    frozenset({"name"}),
                ),
                "tax_behavior": Choice(("exclusive", "inclusive", "unspecified")),
            },
            frozenset({"currency", "unit_amount", "product_data"}),
        ),
        "quantity": Number(minimum=1, maximum=999_999),
        "metadata": Metadata(),
    },
    frozenset({"price_data"}),
)
CREATE_SESSION = Record(
    {
        **_EXPAND,
        "allow_promotion_codes": Flag(only=False),
        "allowed_payment_method_types": Items(Text()),
        "automatic_tax": Record({"enabled": Flag(only=False)}, frozenset({"enabled"})),
        "billing_address_collection": Choice(("auto",)),
        "cancel_url": Url(),
        "client_reference_id": Text(maximum=200),
        "customer_creation": Choice(("if_required",)),
        "customer_email": Email(),
        "expires_at": Number(maximum=2**40),
        "line_items": Items(LINE_ITEM),
        "locale": Choice(("auto", "en")),
        "metadata": Metadata(),
        "mode": Choice(("payment",)),
        "payment_intent_data": Record(
            {
                "capture_method": Choice(("automatic", "automatic_async")),
                "description": Text(maximum=1000),
                "metadata": Metadata(),
                "receipt_email": Email(),
                "statement_descriptor_suffix": Text(maximum=22),
            }
        ),
        "submit_type": Choice(("auto", "pay")),
        "success_url": Url(),
        "ui_mode": Choice(("hosted_page",)),
    },
    frozenset({"mode", "line_items", "success_url"}),
)
CREATE_REFUND = Record(
    {
        **_EXPAND,
        "amount": Number(minimum=1),
        "charge": Text(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Choice(("duplicate", "fraudulent", "requested_by_customer")),
    }
)


async def _create_session(tx: Transaction, request: Request) -> Object:
    return await checkout.create(tx, request.params, public_url=request.public_url)


async def _expire_session(tx: Transaction, request: Request) -> Object:
    return await checkout.expire(tx, request.object_id)


async def _line_items(tx: Transaction, request: Request) -> Object:
    if await tx.find(request.object_id, "checkout.session") is None:
        raise missing("checkout session", request.object_id)
    return await lists.line_items(tx, request.object_id, request.params)


async def _create_refund(tx: Transaction, request: Request) -> Object:
    return await refunds.create(tx, request.params)


def _retrieve(path: str, kind: str, noun: str) -> Call:
    async def run(tx: Transaction, request: Request) -> Object:
        body = await tx.find(request.object_id, kind)
        if body is None:
            raise missing(noun, request.object_id)
        return body

    return Call("GET", f"{path}/{{id}}", Record(_EXPAND), run)


def _list(path: str, kind: str, filters: Mapping[str, Shape]) -> Call:
    """A list whose `filters` are attributes that must be equal, except those that `lists.listing` knows."""

    async def run(tx: Transaction, request: Request) -> Object:
        equal = {
            name: request.params[name] for name in filters if name in request.params and name != "created"
        }
        return await lists.listing(tx, kind, request.path, request.params, **equal)

    return Call("GET", path, Record({**_PAGE, **filters}), run)


EVENT_FILTERS: dict[str, Shape] = {
    "created": Created(),
    "delivery_success": Flag(),
    "type": Text(),
    "types": Items(Text(), maximum=20),
}


async def _list_events(tx: Transaction, request: Request) -> Object:
    wanted = [
        *request.params.get("types", []),
        *([request.params["type"]] if "type" in request.params else []),
    ]
    patterns = [
        text.replace("\\", "").replace("_", "\\_").replace("%", "\\%").replace("*", "%") for text in wanted
    ]
    body = await lists.listing(tx, "event", request.path, {**request.params, "patterns": patterns or None})
    open_rows = await tx.connection.fetch(
        "SELECT event_id, endpoints FROM undelivered WHERE event_id = ANY ($1)",
        [event["id"] for event in body["data"]],
    )
    counts = {row["event_id"]: row["endpoints"] for row in open_rows}
    for event in body["data"]:
        event["pending_webhooks"] = counts.get(event["id"], 0)
    return body


async def _retrieve_event(tx: Transaction, request: Request) -> Object:
    event = await tx.find(request.object_id, "event")
    if event is None:
        raise missing("event", request.object_id)
    event["pending_webhooks"] = (
        await tx.connection.fetchval("SELECT endpoints FROM undelivered WHERE event_id = $1", event["id"])
        or 0
    )
    return event


_SESSIONS = "/v1/checkout/sessions"
_OF_PAYMENT: dict[str, Shape] = {"created": Created(), "payment_intent": Text()}

CALLS = (
    Call("POST", _SESSIONS, CREATE_SESSION, _create_session),
    _retrieve(_SESSIONS, "checkout.session", "checkout.session"),
    Call("POST", f"{_SESSIONS}/{{id}}/expire", Record(_EXPAND), _expire_session),
    Call("GET", f"{_SESSIONS}/{{id}}/line_items", Record(_PAGE), _line_items),
    _list(
        _SESSIONS,
        "checkout.session",
        {
            **_OF_PAYMENT,
            "status": Choice(("complete", "expired", "open")),
            "customer_details": Record({"email": Email()}, frozenset({"email"})),
        },
    ),
    _retrieve("/v1/payment_intents", "payment_intent", "payment_intent"),
    _list("/v1/payment_intents", "payment_intent", {"created": Created()}),
    _retrieve("/v1/charges", "charge", "charge"),
    _list("/v1/charges", "charge", _OF_PAYMENT),
    Call("POST", "/v1/refunds", CREATE_REFUND, _create_refund),
    _retrieve("/v1/refunds", "refund", "refund"),
    _list("/v1/refunds", "refund", {**_OF_PAYMENT, "charge": Text()}),
    _retrieve("/v1/disputes", "dispute", "dispute"),
    _list("/v1/disputes", "dispute", {**_OF_PAYMENT, "charge": Text()}),
    Call("GET", "/v1/events/{id}", Record(_EXPAND), _retrieve_event),
    Call("GET", "/v1/events", Record({**_PAGE, **EVENT_FILTERS}), _list_events),
)
