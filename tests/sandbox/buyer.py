"""What most of these tests begin with: a session, and somebody who pays it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import stripe

from infra.sandbox.client import CARD_PAYS, SandboxClient
from tests.sandbox.servers import SECRET, Receiver

ITEM: dict[str, Any] = {
    "price_data": {
        "currency": "usd",
        "unit_amount": 4900,
        "product_data": {"name": "A written article", "description": "1,200 words, researched and edited"},
    },
    "quantity": 1,
}


def session_params(**changes: Any) -> Any:
    params = {
        "mode": "payment",
        "line_items": [ITEM],
        "client_reference_id": "draft-1",
        "metadata": {"draft_id": "1"},
        "payment_intent_data": {"metadata": {"draft_id": "1"}},
        "customer_email": "ada@example.com",
        "success_url": "http://localhost:8000/return?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://localhost:8000/cancel",
    }
    return {name: value for name, value in (params | changes).items() if value is not None}


@asynccontextmanager
async def talking(url: str, *, retries: int = 2) -> AsyncIterator[stripe.StripeClient]:
    """The real library, sent to the sandbox. `retries` must be said: a StripeClient's own default is none."""
    http = stripe.HTTPXClient(timeout=5)
    yield stripe.StripeClient(
        "sk_test_any", base_addresses={"api": url}, http_client=http, max_network_retries=retries
    )
    await http.close_async()  # type: ignore[no-untyped-call]


@dataclass
class Buyer:
    sandbox: SandboxClient
    client: stripe.StripeClient
    receiver: Receiver

    async def begin(self, **changes: Any) -> stripe.checkout.Session:
        return await self.client.v1.checkout.sessions.create_async(session_params(**changes))

    async def buy(self, *, card: str = CARD_PAYS, **changes: Any) -> stripe.checkout.Session:
        """Pay a new session; answers with it, its payment intent and charge expanded."""
        session = await self.begin(**changes)
        assert session.url is not None
        paid = await self.sandbox.pay(session.url, card=card)
        assert paid.is_done, paid.html
        return await self.look(session.id)

    async def look(self, session_id: str) -> stripe.checkout.Session:
        return await self.client.v1.checkout.sessions.retrieve_async(
            session_id, {"expand": ["payment_intent.latest_charge", "line_items"]}
        )

    async def charge_of(self, session: stripe.checkout.Session) -> stripe.Charge:
        looked = await self.look(session.id)
        assert isinstance(looked.payment_intent, stripe.PaymentIntent)
        assert isinstance(looked.payment_intent.latest_charge, stripe.Charge)
        return looked.payment_intent.latest_charge

    def events(self) -> list[stripe.Event]:
        """What the receiver got, each accepted by the library's own check of the signature."""
        return [self.client.construct_event(body, header, SECRET) for body, header in self.receiver.received]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]

    async def told(self, *types: str) -> None:
        """Wait until events of these types have come."""
        await self.receiver.until(lambda: set(types) <= set(self.types()))
