"""The only place that knows the `stripe` library: what we ask of Stripe, and its answers as plain facts."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from models.base.errors import Temporary
from models.base.settings.selling import StripeSettings
from models.payments.facts import DisputeFacts, EventFacts, IntentFacts, RefundFacts, SessionFacts
from models.payments.objects import dispute_facts, id_of, intent_facts, refund_facts, session_facts
from models.payments.signatures import event_facts

if TYPE_CHECKING:
    from stripe import StripeClient

#: What our code was written for; sent with every call, and compared with each event's.
API_VERSION: Final = "2026-10-28.endive"

#: For one try of one call.
TIMEOUT_SECONDS: Final = 10.0
#: Further tries after a lost connection, a 409 or a 5xx. Safe: every POST carries an idempotency key.
RETRIES: Final = 2

_WHOLE_SESSION: Final = ["payment_intent.latest_charge"]


class PaymentRefused(Exception):
    """Stripe understood, and will not. `code` as https://docs.stripe.com/error-codes; trying again changes nothing."""

    def __init__(self, words: str, code: str | None) -> None:
        super().__init__(words)
        self.code = code


class NoSuchObject(PaymentRefused):
    """Stripe has no object of this name."""


class Stripe:
    """A line to Stripe, open for the length of an `async with`.

    Lines are short: payments are rare, and an idle connection would be closed after five seconds anyway. All
    calls raise `Temporary` when Stripe does not answer, is overloaded or failing, and `PaymentRefused` otherwise.
    """

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._library: Any = None
        self._client: StripeClient | None = None
        self._http: Any = None

    async def __aenter__(self) -> Self:
        # A second of work the first time, which must not hold up everybody else's requests.
        transport = await asyncio.to_thread(importlib.import_module, "models.payments.transport")
        self._library = transport.stripe
        key, base = self._settings.secret_key, self._settings.api_base
        assert key is not None, "settings are refused without a key"
        self._http = transport.Transport(TIMEOUT_SECONDS)
        self._client = self._library.StripeClient(
            key.get_secret_value(),
            stripe_version=API_VERSION,
            base_addresses={"api": base} if base else {},
            max_network_retries=RETRIES,
            http_client=self._http,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client = None
        await self._http.close_async()

    # ------------------------------------------------------------ checkout sessions
    async def create_session(
        self,
        *,
        key: str,
        lines: Sequence[tuple[str, int]],
        currency: str,
        email: str,
        metadata: dict[str, str],
        expires_at: datetime,
        success_url: str,
        cancel_url: str,
    ) -> SessionFacts:
        """Open a page on which some things, each named with its price in cents, can be paid once, until `expires_at`.

        With the same `key` and the same parameters this is the same session, however often it is asked for.
        """
        prices = [
            {"currency": currency, "unit_amount": cents, "product_data": {"name": name}}
            for name, cents in lines
        ]
        others = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
        params: Any = {
            "mode": "payment",
            "line_items": [{"price_data": one, "quantity": 1} for one in prices],
            "client_reference_id": metadata["checkout_id"],
            "customer_email": email,
            "metadata": metadata,
            # Refunds and disputes speak of the payment, not of the session.
            "payment_intent_data": {"metadata": metadata, "description": f"{lines[0][0]}{others}"},
            "expires_at": int(expires_at.timestamp()),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expand": _WHOLE_SESSION,
        }
        async with self._asking() as client:
            made = await client.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
        return session_facts(made.to_dict())

    async def fetch_session(self, session_id: str) -> SessionFacts:
        """The session as it is now, with its payment and charge."""
        async with self._asking() as client:
            found = await client.v1.checkout.sessions.retrieve_async(session_id, {"expand": _WHOLE_SESSION})
        return session_facts(found.to_dict())

    async def expire_session(self, session_id: str) -> SessionFacts:
        """Close the session, so that nobody can pay on it. Refused if it is complete or has expired."""
        async with self._asking() as client:
            closed = await client.v1.checkout.sessions.expire_async(session_id, {"expand": _WHOLE_SESSION})
        return session_facts(closed.to_dict())

    async def list_complete_sessions(self, since: datetime) -> AsyncIterator[SessionFacts]:
        """Every session created after `since` that a customer has completed, newest first."""
        params: Any = {
            "status": "complete",
            "created": {"gte": int(since.timestamp())},
            "limit": 100,
            "expand": [f"data.{path}" for path in _WHOLE_SESSION],
        }
        async with self._asking() as client:
            page = await client.v1.checkout.sessions.list_async(params)
            async for one in page.auto_paging_iter():
                yield session_facts(one.to_dict())

    # ------------------------------------------------------------ refunds and disputes
    async def create_refund(
        self, *, key: str, intent_id: str, amount_cents: int, metadata: dict[str, str]
    ) -> RefundFacts:
        """Give back `amount_cents` of a payment, once for each `key`."""
        params: Any = {"payment_intent": intent_id, "amount": amount_cents, "metadata": metadata}
        async with self._asking() as client:
            made = await client.v1.refunds.create_async(params, {"idempotency_key": key})
        return refund_facts(made.to_dict())

    async def list_refunds(
        self, *, intent_id: str | None = None, since: datetime | None = None
    ) -> list[RefundFacts]:
        """The refunds of a payment, or all that were made after `since`, newest first."""
        params: Any = {"limit": 100}
        if intent_id is not None:
            params["payment_intent"] = intent_id
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        async with self._asking() as client:
            page = await client.v1.refunds.list_async(params)
            return [refund_facts(one.to_dict()) async for one in page.auto_paging_iter()]

    async def fetch_refund(self, refund_id: str) -> RefundFacts:
        """The refund as it is now."""
        async with self._asking() as client:
            return refund_facts((await client.v1.refunds.retrieve_async(refund_id)).to_dict())

    async def fetch_dispute(self, dispute_id: str) -> DisputeFacts:
        """The dispute as it is now."""
        async with self._asking() as client:
            return dispute_facts((await client.v1.disputes.retrieve_async(dispute_id)).to_dict())

    # ------------------------------------------------------------ payments, and what happened
    async def fetch_intent(self, intent_id: str) -> IntentFacts:
        """The payment as it is now, with its latest charge."""
        async with self._asking() as client:
            found = await client.v1.payment_intents.retrieve_async(intent_id, {"expand": ["latest_charge"]})
        return intent_facts(found.to_dict())

    async def fetch_intent_of(self, charge_id: str) -> str | None:
        """The id of the payment that a charge belongs to."""
        async with self._asking() as client:
            return id_of((await client.v1.charges.retrieve_async(charge_id)).to_dict()["payment_intent"])

    async def list_undelivered_events(self, since: datetime, types: list[str]) -> AsyncIterator[EventFacts]:
        """Events of these types that some endpoint has not taken yet, newest first. Stripe keeps 30 days."""
        params: Any = {
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "types": types,
            "limit": 100,
        }
        async with self._asking() as client:
            page = await client.v1.events.list_async(params)
            async for one in page.auto_paging_iter():
                yield event_facts(one.to_dict(for_json=True))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator["StripeClient"]:
        """Turn the library's errors into ours."""
        library = self._library
        assert self._client is not None, "use it in an `async with`"
        try:
            yield self._client
        except (library.APIConnectionError, library.APIError, library.RateLimitError) as error:
            raise Temporary(f"Stripe does not answer: {error.user_message}") from error
        except library.StripeError as error:
            # A key in use: somebody else is asking for the same thing at this moment.
            if error.http_status == 409 or (error.http_status or 0) >= 500:  # noqa: PLR2004 - HTTP's own numbers
                raise Temporary(f"Stripe is busy: {error.user_message}") from error
            kind = NoSuchObject if error.code == "resource_missing" else PaymentRefused
            raise kind(error.user_message or "refused without words", error.code) from error
