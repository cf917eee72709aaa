"""The hosted page: what it shows, takes and refuses, without a script."""

import asyncio

import httpx2
import pytest
import stripe

from infra.sandbox.client import BANK, CARD_ASKS, CARD_HAS_NO_FUNDS, CARD_PAYS, SandboxClient
from tests.sandbox.buyer import Buyer

GOOD = {
    "card": CARD_PAYS,
    "number": "",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Ada",
    "email": "a@example.com",
}


async def _post(url: str | None, **changes: str) -> httpx2.Response:
    assert url is not None
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.post(url, data=GOOD | changes)


async def test_the_page_shows_what_is_bought_under_a_test_mode_banner(buyer: Buyer):
    session = await buyer.begin()
    assert session.url is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = await http.get(session.url)
    assert page.status_code == 200
    for words in (
        "TEST MODE",
        "A written article",
        "$49.00",
        "ada@example.com",
        "4000 0025 0000 3155",
        "/cancel",
    ):
        assert words in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8000" in policy
    assert "<script" not in page.text
    assert "style=" not in page.text


async def test_names_from_the_shop_are_text_not_markup(buyer: Buyer):
    item = {"price_data": {"currency": "eur", "unit_amount": 500, "product_data": {"name": "<b onclick=x>&"}}}
    session = await buyer.begin(line_items=[item])
    assert session.url is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = (await http.get(session.url)).text
    assert "&lt;b onclick=x&gt;&amp;" in page
    assert "<b onclick" not in page


async def test_all_errors_are_shown_at_once_and_the_input_is_kept(buyer: Buyer):
    session = await buyer.begin(customer_email=None)
    page = await _post(session.url, card="", expiry="13 / 20", cvc="1", name="", email="ada@")
    assert page.status_code == 422
    for name in ("card", "expiry", "cvc", "name", "email"):
        assert f'id="{name}-error"' in page.text
    assert 'value="ada@"' in page.text
    assert "There is a problem" in page.text
    assert (await buyer.look(session.id)).payment_intent is None


async def test_a_number_that_is_no_test_card_is_refused_and_not_repeated(buyer: Buyer):
    session = await buyer.begin()
    page = await _post(session.url, card="typed", number="5555 5555 5555 4444")
    assert page.status_code == 422
    assert "Never type a real card number here" in page.text
    assert "5555" not in page.text
    typed = await _post(session.url, card="typed", number="4242-4242 42424242")
    assert typed.status_code == 303


async def test_the_past_is_no_expiry_date(buyer: Buyer):
    page = await _post((await buyer.begin()).url, expiry="01/24")
    assert "must be in the future" in page.text


async def test_the_sessions_address_cannot_be_changed_by_the_customer(buyer: Buyer):
    session = await buyer.begin()
    assert (await _post(session.url, email="mallory@example.com")).status_code == 303
    details = (await buyer.look(session.id)).customer_details
    assert details is not None
    assert details.email == "ada@example.com"


@pytest.mark.slow
async def test_fifty_presses_of_the_button_make_one_charge(buyer: Buyer, sandbox: SandboxClient):
    session = await buyer.begin()
    answers = await asyncio.gather(*(_post(session.url) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {303}
    assert {answer.headers["location"] for answer in answers} == {
        f"http://localhost:8000/return?session_id={session.id}"
    }
    assert (await sandbox.state())["objects"]["charge"] == 1


async def test_a_finished_session_says_so_and_leads_to_the_shop(buyer: Buyer):
    session = await buyer.begin()
    await _post(session.url)
    assert session.url is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = await http.get(session.url)
    assert page.status_code == 200
    assert "You have already paid" in page.text
    assert f"http://localhost:8000/return?session_id={session.id}" in page.text


async def test_no_funds_is_its_own_message(buyer: Buyer):
    page = await _post((await buyer.begin()).url, card=CARD_HAS_NO_FUNDS)
    assert "Your card has insufficient funds." in page.text


async def test_three_d_secure_is_completed_or_failed(buyer: Buyer):
    session = await buyer.begin()
    assert session.url is not None
    failed = await buyer.sandbox.pay(session.url, card=CARD_ASKS, authentication="fail")
    assert failed.status == 422
    assert "unable to authenticate" in failed.html
    passed = await buyer.sandbox.pay(session.url, card=CARD_ASKS)
    assert passed.is_done
    assert (await buyer.look(session.id)).payment_status == "paid"
    await buyer.told(
        "payment_intent.requires_action", "payment_intent.payment_failed", "payment_intent.succeeded"
    )


async def test_confirming_twice_at_once_charges_once(buyer: Buyer, sandbox: SandboxClient):
    session = await buyer.begin()
    await _post(session.url, card=CARD_ASKS)
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        answers = await asyncio.gather(
            *(http.post(f"{session.url}/authentication", data={"answer": "complete"}) for _ in range(10))
        )
    assert {answer.status_code for answer in answers} == {303}
    assert (await sandbox.state())["objects"]["charge"] == 1


async def test_only_the_sessions_methods_are_offered(buyer: Buyer):
    session = await buyer.begin(allowed_payment_method_types=["card"])
    assert session.payment_method_types == ["card"]
    assert (await _post(session.url, card=BANK)).status_code == 422
    debit = await buyer.begin(allowed_payment_method_types=["us_bank_account"])
    assert (await _post(debit.url)).status_code == 422
    assert (await _post(debit.url, card=BANK)).status_code == 303


async def test_an_unknown_session_is_not_found(sandbox: SandboxClient):
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{sandbox.url}/pay/cs_test_nobody")).status_code == 404
        assert (await http.post(f"{sandbox.url}/pay/cs_test_nobody", data=GOOD)).status_code == 404


async def test_the_start_page_shows_what_happened_lately(buyer: Buyer, sandbox: SandboxClient):
    session = await buyer.buy()
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = await http.get(sandbox.url)
        stranger = await http.get(sandbox.url, headers={"Host": "evil.example"})
        health = await http.get(f"{sandbox.url}/health")
    assert f"/pay/{session.id}" in page.text
    assert "checkout.session.completed" in page.text
    assert session.id not in stranger.text
    assert health.json() == {"status": "ok"}


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Content-Type": "text/plain"}])
async def test_control_is_closed_to_web_pages(sandbox: SandboxClient, headers):
    headers = {"Content-Type": "application/json", **headers}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{sandbox.url}/_control/reset", content=b"{}", headers=headers)
    assert answer.status_code == 404


async def test_a_payment_that_the_customer_expired_from_cannot_be_confirmed(
    buyer: Buyer, client: stripe.StripeClient
):
    session = await buyer.begin()
    await _post(session.url, card=CARD_ASKS)
    await client.v1.checkout.sessions.expire_async(session.id)
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{session.url}/authentication", data={"answer": "complete"})
    assert answer.status_code == 410
    await buyer.told("payment_intent.canceled")
