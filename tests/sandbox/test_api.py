"""What the API refuses, lists and expands."""

import httpx2
import pytest
import stripe

from infra.sandbox.client import SandboxClient
from tests.sandbox.buyer import ITEM, Buyer, session_params


async def _refusal(client: stripe.StripeClient, **changes) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.checkout.sessions.create_async(session_params(**changes))
    assert caught.value.http_status == 400
    return caught.value


async def test_an_unknown_parameter_is_named(client: stripe.StripeClient):
    error = await _refusal(client, colour="blue")
    assert (error.code, error.param) == ("parameter_unknown", "colour")
    item = {**ITEM, "price_data": {**ITEM["price_data"], "colour": "blue"}}
    error = await _refusal(client, line_items=[item])
    assert (error.code, error.param) == ("parameter_unknown", "line_items[0][price_data][colour]")


async def test_a_missing_parameter_is_named(client: stripe.StripeClient):
    error = await _refusal(client, mode=None)
    assert (error.code, error.param) == ("parameter_missing", "mode")
    error = await _refusal(client, line_items=[{"quantity": 1}])
    assert (error.code, error.param) == ("parameter_missing", "line_items[0][price_data]")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": "subscription"}, "mode"),
        ({"customer_email": "not an address"}, "customer_email"),
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"success_url": "http://shop;script-src *"}, "success_url"),
        ({"success_url": "http://shop/ö"}, "success_url"),
        ({"cancel_url": "http://shop:port/"}, "cancel_url"),
        ({"cancel_url": "//shop/"}, "cancel_url"),
        ({"allowed_payment_method_types": ["klarna"]}, "allowed_payment_method_types"),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]"),
        ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        (
            {"line_items": [ITEM, {**ITEM, "price_data": {**ITEM["price_data"], "currency": "eur"}}]},
            "line_items",
        ),
        ({"line_items": [{**ITEM, "quantity": 0}]}, "line_items[0][quantity]"),
        ({"line_items": [{**ITEM, "price_data": {**ITEM["price_data"], "unit_amount": 49}}]}, "line_items"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_parameter(client: stripe.StripeClient, changes, param):
    assert (await _refusal(client, **changes)).param == param


@pytest.mark.parametrize("after", [29 * 60, 24 * 3600 + 120])
async def test_a_session_lives_from_half_an_hour_to_a_day(client: stripe.StripeClient, buyer: Buyer, after):
    now = (await buyer.begin()).created
    assert (await _refusal(client, expires_at=now + after)).param == "expires_at"
    assert (await buyer.begin(expires_at=now + 35 * 60)).expires_at == now + 35 * 60


@pytest.mark.parametrize("key", ["sk_live_51abc", "rk_live_51abc", "pk_test_abc", "sk_test_a-b", "nonsense"])
async def test_only_test_keys_are_taken(sandbox: SandboxClient, key):
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{sandbox.url}/v1/events", headers={"Authorization": f"Bearer {key}"})
        without = await http.get(f"{sandbox.url}/v1/events")
    assert answer.status_code == without.status_code == 401
    assert key not in answer.text
    assert ("live key" in answer.text) == ("live" in key)


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/payment_intents/pi_1/capture", "/v1", "/v1/checkout"])
async def test_what_is_not_implemented_says_so(sandbox: SandboxClient, path):
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{sandbox.url}{path}", headers={"Authorization": "Bearer sk_test_x"})
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "not implemented by the sandbox" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"a[b=1", b"a[]=1&a[b][c]=2&a[b]=1&a[b][c]=3", b"=1", b"\x00=\x00"]
)
async def test_garbage_is_refused_without_a_fault(sandbox: SandboxClient, body):
    headers = {"Authorization": "Bearer sk_test_x", "Content-Type": "application/x-www-form-urlencoded"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{sandbox.url}/v1/refunds", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_an_unknown_object_is_missing(client: stripe.StripeClient):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.checkout.sessions.retrieve_async("cs_test_nobody")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_lists_are_newest_first_and_can_be_walked_both_ways(buyer: Buyer, client: stripe.StripeClient):
    made = [(await buyer.begin()).id for _ in range(5)]
    sessions = client.v1.checkout.sessions
    first = await sessions.list_async({"limit": 2})
    assert [one.id for one in first.data] == made[:2:-1]
    assert first.has_more
    walked = [one.id async for one in first.auto_paging_iter()]
    assert walked == made[::-1]
    newer = await sessions.list_async({"ending_before": made[1], "limit": 2})
    assert [one.id for one in newer.data] == [made[3], made[2]]


async def test_lists_are_filtered(buyer: Buyer, client: stripe.StripeClient):
    paid, _ = await buyer.buy(), await buyer.begin()
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    complete = await client.v1.checkout.sessions.list_async({"status": "complete"})
    by_intent = await client.v1.checkout.sessions.list_async({"payment_intent": paid.payment_intent.id})
    later = await client.v1.checkout.sessions.list_async({"created": {"gt": paid.created + 1000}})
    assert [one.id for one in complete.data] == [one.id for one in by_intent.data] == [paid.id]
    assert later.data == []
    charges = await client.v1.charges.list_async({"payment_intent": paid.payment_intent.id})
    assert len(charges.data) == 1
    intents = await client.v1.payment_intents.list_async({"expand": ["data.latest_charge"]})
    assert isinstance(intents.data[0].latest_charge, stripe.Charge)
    items = await client.v1.checkout.sessions.line_items.list_async(paid.id)
    assert items.data[0].description == "A written article"


async def test_the_items_of_a_session_are_read_a_page_at_a_time(buyer: Buyer, client: stripe.StripeClient):
    names = [f"Thing {number}" for number in range(12)]
    price = ITEM["price_data"]
    things = [{"price_data": {**price, "product_data": {"name": name}}, "quantity": 1} for name in names]
    session = await buyer.begin(line_items=things)
    assert session.amount_total == 12 * 4900
    page = await client.v1.checkout.sessions.line_items.list_async(session.id, {"limit": 5})
    assert [one.description async for one in page.auto_paging_iter()] == names
    last = await client.v1.checkout.sessions.line_items.list_async(session.id, {"limit": 100})
    page = await client.v1.checkout.sessions.line_items.list_async(
        session.id, {"limit": 2, "ending_before": last.data[-1].id}
    )
    assert [one.description for one in page.data] == ["Thing 9", "Thing 10"]


async def test_events_are_found_by_type(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy()
    one = await client.v1.events.list_async({"type": "checkout.session.completed"})
    assert [event.data.object["id"] for event in one.data] == [session.id]
    several = await client.v1.events.list_async({"types": ["charge.*", "payment_intent.succeeded"]})
    assert {event.type for event in several.data} == {"charge.succeeded", "payment_intent.succeeded"}
    assert (await client.v1.events.retrieve_async(one.data[0].id)).id == one.data[0].id


async def test_what_cannot_be_expanded_is_refused(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.begin()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["metadata"]})
    assert caught.value.param == "expand"


async def test_an_open_session_can_be_expired_once(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.begin()
    assert session.url is not None
    assert (await client.v1.checkout.sessions.expire_async(session.id)).status == "expired"
    assert (await buyer.sandbox.pay(session.url)).status == 410
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)
    await buyer.told("checkout.session.expired")


async def test_ordered_trouble_comes_once_and_ends(client: stripe.StripeClient, sandbox: SandboxClient):
    await sandbox.order_fault("rate_limited", path="/v1/charges")
    with pytest.raises(stripe.RateLimitError):
        await client.v1.charges.list_async()
    await sandbox.order_fault("server_error", path="/v1/charges", count=3)
    with pytest.raises(stripe.APIError):
        await client.v1.charges.list_async()
    assert (await client.v1.charges.list_async()).data == []


async def test_every_third_call_goes_wrong_if_that_is_ordered(sandbox: SandboxClient):
    await sandbox.order_fault("server_error", every=3, count=2)
    async with httpx2.AsyncClient(trust_env=False, headers={"Authorization": "Bearer sk_test_x"}) as http:
        seen = [(await http.get(f"{sandbox.url}/v1/events")).status_code for _ in range(9)]
    assert seen == [200, 200, 500, 200, 200, 500, 200, 200, 200]
