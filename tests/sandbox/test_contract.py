"""The sandbox says nothing that the pinned library does not know, and takes nothing that it cannot send.

Each object that the sandbox ever sent in a long story is walked beside the library's class of it; each
parameter that it takes is looked up in the library's parameter classes. A new version of the library that
renames a field or a value fails here.
"""

import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe import params as sdk_params
from stripe.params import checkout as sdk_checkout_params
from typing_extensions import get_type_hints, is_typeddict

from infra.sandbox import API_VERSION
from infra.sandbox.calls import CALLS
from infra.sandbox.client import BANK, CARD_ASKS, CARD_DECLINES, CARD_IS_DISPUTED
from infra.sandbox.forms import Choice, Created, Items, Metadata, Record, Shape
from tests.sandbox.buyer import Buyer

CLASSES: dict[str, type] = {
    "checkout.session": stripe.checkout.Session,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "price": stripe.Price,
}
FREE = {"metadata", "use_stripe_sdk", "previous_attributes"}
"""Attributes whose keys are anybody's."""

PARAMS = {
    ("POST", "/v1/checkout/sessions"): sdk_checkout_params.SessionCreateParams,
    ("GET", "/v1/checkout/sessions"): sdk_checkout_params.SessionListParams,
    ("GET", "/v1/checkout/sessions/{id}"): sdk_checkout_params.SessionRetrieveParams,
    ("POST", "/v1/checkout/sessions/{id}/expire"): sdk_checkout_params.SessionExpireParams,
    ("GET", "/v1/checkout/sessions/{id}/line_items"): sdk_checkout_params.SessionListLineItemsParams,
    ("GET", "/v1/payment_intents"): sdk_params.PaymentIntentListParams,
    ("GET", "/v1/payment_intents/{id}"): sdk_params.PaymentIntentRetrieveParams,
    ("GET", "/v1/charges"): sdk_params.ChargeListParams,
    ("GET", "/v1/charges/{id}"): sdk_params.ChargeRetrieveParams,
    ("POST", "/v1/refunds"): sdk_params.RefundCreateParams,
    ("GET", "/v1/refunds"): sdk_params.RefundListParams,
    ("GET", "/v1/refunds/{id}"): sdk_params.RefundRetrieveParams,
    ("GET", "/v1/disputes"): sdk_params.DisputeListParams,
    ("GET", "/v1/disputes/{id}"): sdk_params.DisputeRetrieveParams,
    ("GET", "/v1/events"): sdk_params.EventListParams,
    ("GET", "/v1/events/{id}"): sdk_params.EventRetrieveParams,
}


def test_the_imitated_version_is_the_librarys():
    assert stripe.api_version == API_VERSION


@pytest.fixture
async def told(buyer: Buyer, client: stripe.StripeClient) -> list[dict[str, Any]]:
    """Everything that the sandbox said in a story with as many turns as it knows."""
    sandbox = buyer.sandbox
    paid = await buyer.buy()
    charge = await buyer.charge_of(paid)
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 100, "reason": "duplicate"})
    await sandbox.order_refunds("pending")
    pending = await client.v1.refunds.create_async({"charge": charge.id})
    await sandbox.conclude_refund(pending.id, "failed")
    tried = await buyer.begin(submit_type="pay", locale="en", billing_address_collection="auto")
    assert tried.url is not None
    await sandbox.pay(tried.url, card=CARD_DECLINES)
    await sandbox.pay(tried.url, card=CARD_ASKS, authentication="fail")
    await client.v1.checkout.sessions.expire_async(tried.id)
    await sandbox.settle((await buyer.buy(card=BANK)).id, "failed")
    settled = await buyer.buy(card=BANK)
    await sandbox.settle(settled.id)
    await sandbox.dispute((await buyer.charge_of(settled)).id)
    await buyer.buy(card=CARD_IS_DISPUTED)
    await sandbox.shift_clock(10)
    for dispute in (await client.v1.disputes.list_async()).data:
        await sandbox.decide_dispute(dispute.id, "under_review")
        await sandbox.decide_dispute(dispute.id, "won")
    said = [
        event.to_dict()
        async for event in (await client.v1.events.list_async({"limit": 100})).auto_paging_iter()
    ]
    expand = ["data.line_items", "data.payment_intent.latest_charge.refunds"]
    sessions = await client.v1.checkout.sessions.list_async({"expand": expand})
    return [*said, *(session.to_dict() for session in sessions.data)]


async def test_every_attribute_and_value_is_one_of_the_librarys(told: list[dict[str, Any]]):
    complaints = sorted({complaint for body in told for complaint in _complaints(body)})
    assert complaints == []
    assert {body["object"] for body in _objects(told)} == CLASSES.keys()
    assert len({body["type"] for body in told if body["object"] == "event"}) >= 20


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("object"), str) and value["object"] in CLASSES:
            yield value
        for below in value.values():
            yield from _objects(below)
    if isinstance(value, list):
        for below in value:
            yield from _objects(below)


def _complaints(told: Any) -> Iterator[str]:
    for body in _objects(told):
        yield from _compare(body, CLASSES[body["object"]], body["object"])


def _compare(body: dict[str, Any], cls: type, where: str) -> Iterator[str]:
    known = {
        name: hint for base in cls.__mro__ for name, hint in vars(base).get("__annotations__", {}).items()
    }
    inner = getattr(cls, "_inner_class_types", {})
    for name, value in body.items():
        if name not in known:
            yield f"{where}.{name} is not known to the library"
            continue
        values = _literals(known[name])
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and values and one not in values:
                yield f"{where}.{name}={one} is not one of the library's values"
            is_object = isinstance(one, dict) and isinstance(one.get("object"), str | dict)
            if isinstance(one, dict) and not is_object and name not in FREE:
                if name not in inner:
                    yield f"{where}.{name} has no inner class in the library"
                    continue
                yield from _compare(one, inner[name], f"{where}.{name}")


def _literals(hint: Any) -> set[str]:
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    return {value for below in typing.get_args(hint) for value in _literals(below)}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.pattern}")
def test_every_parameter_is_one_that_the_library_can_send(call):
    assert sorted(_unsendable(call.params, PARAMS[call.method, call.pattern], "")) == []


def _unsendable(shape: Shape, hint: Any, where: str) -> Iterator[str]:
    """Where `shape` takes what the library's type hint does not have."""
    hints = list(_alternatives(hint))
    match shape:
        case Record():
            yield from _unsendable_fields(shape, next(filter(is_typeddict, hints), None), where)
        case Items():
            lists = [typing.get_args(one)[0] for one in hints if typing.get_origin(one) is list]
            assert lists, f"{where} is no list in the library"
            yield from _unsendable(shape.of, lists[0], f"{where}[]")
        case Choice():
            literals = {value for one in hints for value in _literals(one)}
            yield from (
                f"{where}={value} is unknown" for value in shape.values if literals and value not in literals
            )
        case Created():
            yield from _unsendable(shape.bounds, hint, where)
        case Metadata():
            assert any(typing.get_origin(one) is dict for one in hints), f"{where} is no hash in the library"


_NAMES = {**vars(typing), "StripeContext": stripe.StripeContext}
"""What the library's hints name, though it imports it for type checkers only."""


def _unsendable_fields(record: Record, params: type | None, where: str) -> Iterator[str]:
    assert params is not None, f"{where} is no record in the library"
    fields = get_type_hints(params, _NAMES | vars(sys.modules[params.__module__]))
    for name, below in record.fields.items():
        if name in fields:
            yield from _unsendable(below, fields[name], f"{where}[{name}]")
        else:
            yield f"{where}[{name}] is not a parameter of the library"


def _alternatives(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) in {typing.Union, types.UnionType, typing.Annotated}:
        for one in typing.get_args(hint):
            yield from _alternatives(one)
    else:
        yield hint
