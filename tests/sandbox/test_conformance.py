"""The sandbox and Stripe agree: the same tests of the product's own line to Stripe, against either.

With a test key of a Stripe account they run there too:
    STRIPE_TEST_SECRET_KEY=sk_test_… .venv/bin/pytest tests/sandbox/test_conformance.py
Nobody can press the buttons of Stripe's hosted page for us, so there a payment is made by the API with one of its
test cards; everything else is the same call.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import stripe as library

from infra.sandbox.client import SandboxClient
from models.base.clock import now
from models.base.db import new_id
from models.base.settings.selling import StripeSettings
from models.payments.inbox import HANDLED
from models.payments.rules import SESSION_LIFE
from models.payments.stripe import API_VERSION, NoSuchObject, PaymentRefused, Stripe

KEY = os.environ.get("STRIPE_TEST_SECRET_KEY", "")
MISSING = "STRIPE_TEST_SECRET_KEY is not set: nothing is compared with Stripe itself"


@dataclass(frozen=True)
class Side:
    """One of the two, and how somebody pays there: returns the id of a payment of so many cents."""

    stripe: Stripe
    pay: Callable[[int], Awaitable[str]]

    async def open(self, **changes: Any) -> Any:
        """A session as the product opens it."""
        checkout_id = str(new_id())
        wish: dict[str, Any] = {
            "key": f"conformance:{checkout_id}",
            "lines": [("A placement", 4900)],
            "currency": "usd",
            "email": "ada@example.com",
            "metadata": {"checkout_id": checkout_id, "subject": "draft/1", "attempt": "1"},
            "expires_at": now() + SESSION_LIFE,
            "success_url": "https://shop.example/return?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/cancelled",
        }
        return await self.stripe.create_session(**(wish | changes))


@pytest.fixture(params=["sandbox", pytest.param("stripe", marks=pytest.mark.skipif(not KEY, reason=MISSING))])
async def side(request: pytest.FixtureRequest, sandbox: SandboxClient) -> AsyncIterator[Side]:
    """The sandbox, then Stripe if there is a key."""
    if request.param == "sandbox":
        async with Stripe(StripeSettings(secret_key="sk_test_any", api_base=sandbox.url)) as line:
            yield Side(line, _paid_on_the_page(line, sandbox))
        return
    assert KEY.startswith(("sk_test_", "rk_test_")), "a live key is never used for tests"
    async with Stripe(StripeSettings(secret_key=KEY, api_base=None)) as line:
        yield Side(line, _paid_by_the_api)


def _paid_on_the_page(line: Stripe, sandbox: SandboxClient) -> Callable[[int], Awaitable[str]]:
    async def pay(cents: int) -> str:
        opened = await Side(line, _paid_by_the_api).open(lines=[("A placement", cents)])
        assert (await sandbox.pay(str(opened.url))).is_done
        paid = await line.fetch_session(opened.id)
        assert paid.payment_status == "paid"
        assert paid.intent is not None
        return paid.intent.id

    return pay


async def _paid_by_the_api(cents: int) -> str:
    client = library.StripeClient(
        KEY, stripe_version=API_VERSION, http_client=library.HTTPXClient(timeout=20)
    )
    paid = await client.v1.payment_intents.create_async(
        {
            "amount": cents,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    assert paid.status == "succeeded"
    return paid.id


# ---------------------------------------------------------------- sessions
async def test_a_new_session_is_open_unpaid_and_says_what_was_asked_for(side: Side) -> None:
    made = await side.open()
    found = await side.stripe.fetch_session(made.id)
    for one in (made, found):
        assert one.id.startswith("cs_test_")
        assert (one.status, one.payment_status, one.is_live) == ("open", "unpaid", False)
        assert (one.amount_cents, one.currency, one.intent) == (4900, "usd", None)
        assert (one.metadata["subject"], one.metadata["attempt"]) == ("draft/1", "1")
        assert str(one.url).startswith("http")
        assert abs(one.expires_at - now() - SESSION_LIFE) < timedelta(minutes=2)


async def test_one_key_is_one_session_and_not_for_other_parameters(side: Side) -> None:
    same: dict[str, Any] = {
        "key": f"conformance:{new_id()}",
        "metadata": {"checkout_id": str(new_id()), "subject": "draft/2", "attempt": "1"},
        "expires_at": now() + SESSION_LIFE,
    }
    first, second = await side.open(**same), await side.open(**same)
    assert first.id == second.id
    with pytest.raises(PaymentRefused):
        await side.open(**same, lines=[("A placement", 5900)])


async def test_a_session_is_expired_once(side: Side) -> None:
    made = await side.open()
    assert (await side.stripe.expire_session(made.id)).status == "expired"
    assert (await side.stripe.fetch_session(made.id)).status == "expired"
    with pytest.raises(PaymentRefused):
        await side.stripe.expire_session(made.id)


@pytest.mark.parametrize(
    "wrong", [{"expires_at": now() + timedelta(minutes=20)}, {"lines": [("A placement", 1)]}]
)
async def test_a_session_that_stripe_would_not_open_is_refused(side: Side, wrong: dict[str, Any]) -> None:
    with pytest.raises(PaymentRefused):
        await side.open(**wrong)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("fetch_session", "cs_test_nothing"),
        ("fetch_intent", "pi_nothing"),
        ("fetch_refund", "re_nothing"),
        ("fetch_dispute", "dp_nothing"),
        ("fetch_intent_of", "ch_nothing"),
    ],
)
async def test_what_does_not_exist_is_said_not_to_exist(side: Side, what: str, name: str) -> None:
    with pytest.raises(NoSuchObject):
        await getattr(side.stripe, what)(name)


# ---------------------------------------------------------------- payments and refunds
async def test_a_payment_is_captured_with_its_charge(side: Side) -> None:
    found = await side.stripe.fetch_intent(await side.pay(4900))
    assert (found.status, found.received_cents, found.currency) == ("succeeded", 4900, "usd")
    assert found.charge is not None
    assert found.charge.captured_cents == 4900
    assert await side.stripe.fetch_intent_of(found.charge.id) == found.id


async def test_a_refund_is_made_once_for_a_key_and_never_for_more_than_there_is(side: Side) -> None:
    intent_id = await side.pay(4900)
    asked: dict[str, Any] = {"key": f"r:{intent_id}", "intent_id": intent_id, "metadata": {"refund_id": "1"}}
    first = await side.stripe.create_refund(**asked, amount_cents=1900)
    again = await side.stripe.create_refund(**asked, amount_cents=1900)
    assert (first.id, first.amount_cents, first.status) == (again.id, 1900, "succeeded")
    assert (first.intent_id, first.currency, first.metadata["refund_id"]) == (intent_id, "usd", "1")
    assert [one.id for one in await side.stripe.list_refunds(intent_id=intent_id)] == [first.id]
    with pytest.raises(PaymentRefused):
        await side.stripe.create_refund(**(asked | {"key": f"r2:{intent_id}"}), amount_cents=3001)


async def test_what_was_refunded_whole_is_said_to_be_refunded_already(side: Side) -> None:
    intent_id = await side.pay(4900)
    asked: dict[str, Any] = {"intent_id": intent_id, "amount_cents": 4900, "metadata": {}}
    await side.stripe.create_refund(key=f"r:{intent_id}", **asked)
    with pytest.raises(PaymentRefused) as refused:
        await side.stripe.create_refund(key=f"r2:{intent_id}", **asked)
    assert refused.value.code == "charge_already_refunded"


# ---------------------------------------------------------------- lists
async def test_the_lists_of_the_reconciler_can_be_read(side: Side) -> None:
    since = now() - timedelta(minutes=5)
    missed = [one async for one in side.stripe.list_undelivered_events(since, list(HANDLED))]
    complete = [one async for one in side.stripe.list_complete_sessions(since)]
    assert all(one.type in HANDLED for one in missed)
    assert all(one.status == "complete" for one in complete)
    assert isinstance(await side.stripe.list_refunds(since=since), list)
