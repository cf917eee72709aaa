"""Idempotency keys behave as Stripe's: one key, one result, whatever happens to the answers."""

import asyncio
from typing import Any

import httpx2
import pytest
import stripe

from infra.sandbox.client import SandboxClient
from tests.sandbox.buyer import Buyer, session_params, talking

FORM = {
    "mode": "payment",
    "success_url": "http://localhost/ok",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "4900",
    "line_items[0][price_data][product_data][name]": "Article",
}


def _key(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


async def test_the_first_answer_of_a_key_is_given_again(sandbox: SandboxClient):
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "checkout:1:1"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        first = await http.post(f"{sandbox.url}/v1/checkout/sessions", data=FORM, headers=headers)
        second = await http.post(f"{sandbox.url}/v1/checkout/sessions", data=FORM, headers=headers)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"] != second.headers["request-id"]


async def test_a_refusal_by_the_state_of_things_is_given_again_too(buyer: Buyer, client: stripe.StripeClient):
    session = await buyer.buy()
    charge = await buyer.charge_of(session)
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 4000})
    too_much: Any = {"charge": charge.id, "amount": 1000}
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await client.v1.refunds.create_async(too_much, _key("refund:1"))
    assert caught.value.headers is not None
    assert caught.value.headers["idempotent-replayed"] == "true"


async def test_refused_parameters_do_not_use_up_a_key(buyer: Buyer, client: stripe.StripeClient):
    options = _key("checkout:2:1")
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.create_async(session_params(success_url=None), options)
    assert (await client.v1.checkout.sessions.create_async(session_params(), options)).status == "open"


async def test_a_key_is_refused_for_other_parameters(client: stripe.StripeClient):
    options = _key("checkout:3:1")
    await client.v1.checkout.sessions.create_async(session_params(), options)
    with pytest.raises(stripe.IdempotencyError) as caught:
        await client.v1.checkout.sessions.create_async(session_params(client_reference_id="other"), options)
    assert caught.value.http_status == 400


async def test_a_key_in_use_is_a_conflict(sandbox: SandboxClient):
    await sandbox.order_fault("slow", path="/v1/checkout", seconds=1)
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "checkout:4:1"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answers = await asyncio.gather(
            *(http.post(f"{sandbox.url}/v1/checkout/sessions", data=FORM, headers=headers) for _ in range(4))
        )
    # One that comes late finds the answer there; those that come meanwhile are refused.
    assert {answer.status_code for answer in answers} == {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert (await sandbox.state())["objects"]["checkout.session"] == 1


async def test_twenty_creates_at_once_with_one_key_make_one_session(sandbox: SandboxClient):
    async with talking(sandbox.url, retries=8) as client:
        create = client.v1.checkout.sessions.create_async
        sessions = await asyncio.gather(*(create(session_params(), _key("checkout:5:1")) for _ in range(20)))
    assert len({session.id for session in sessions}) == 1
    assert (await sandbox.state())["objects"]["checkout.session"] == 1


@pytest.mark.parametrize("how", ["lost_answer", "dropped_connection"])
async def test_a_refund_whose_answer_is_lost_is_made_once_by_the_librarys_retry(
    buyer: Buyer, client: stripe.StripeClient, how
):
    charge = await buyer.charge_of(await buyer.buy())
    await buyer.sandbox.order_fault(how, method="POST", path="/v1/refunds")
    refund = await client.v1.refunds.create_async({"charge": charge.id})
    assert refund.status == "succeeded"
    assert (await buyer.sandbox.state())["objects"]["refund"] == 1


async def test_a_key_may_be_used_anew_after_more_than_a_day(
    sandbox: SandboxClient, client: stripe.StripeClient
):
    options = _key("checkout:6:1")
    first = await client.v1.checkout.sessions.create_async(session_params(), options)
    await sandbox.shift_clock(24 * 3600 - 60)
    assert (await client.v1.checkout.sessions.create_async(session_params(), options)).id == first.id
    await sandbox.shift_clock(2 * 3600)
    assert (await client.v1.checkout.sessions.create_async(session_params(), options)).id != first.id
