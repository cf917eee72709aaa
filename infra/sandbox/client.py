"""For tests and demos: order trouble from a running sandbox, and pay on its hosted page like a customer.

async with SandboxClient("http://127.0.0.1:8020") as sandbox:
    paid = await sandbox.pay(session.url, card=CARD_PAYS)
    assert paid.location == "http://localhost:8000/return?session_id=..."
"""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Literal, Self
from urllib.parse import urljoin

import httpx2

CARD_PAYS = "4242424242424242"
CARD_DECLINES = "4000000000000002"
CARD_HAS_NO_FUNDS = "4000000000009995"
CARD_ASKS = "4000002500003155"
CARD_IS_DISPUTED = "4000000000000259"
BANK = "bank"

_OK, _SEE_OTHER = 200, 303
_TLS = httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Paid:
    """How a try to pay ended: `location` is where the browser is sent, None if it stays on a page."""

    status: int
    location: str | None
    html: str

    @property
    def is_done(self) -> bool:
        return self.location is not None


class SandboxClient:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.AsyncClient(timeout=20, trust_env=False, verify=_TLS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def pay(
        self,
        session_url: str,
        *,
        card: str = CARD_PAYS,
        email: str | None = None,
        name: str | None = None,
        authentication: Literal["complete", "fail"] = "complete",
    ) -> Paid:
        """Open the hosted page, fill in its form, press the button; answer 3-D Secure if it asks."""
        shown = await self._http.get(session_url)
        fields = _filled_in(shown.text)
        if shown.status_code != _OK or not fields:
            return Paid(shown.status_code, None, shown.text)
        fields |= {"card": card} | ({"email": email} if email else {}) | ({"name": name} if name else {})
        answer = await self._http.post(session_url, data=fields)
        location = answer.headers.get("location", "")
        if location.endswith("/authentication"):
            answer = await self._http.post(urljoin(session_url, location), data={"answer": authentication})
            location = answer.headers.get("location", "")
        target = urljoin(session_url, location)
        if answer.status_code == _SEE_OTHER and target.startswith(f"{session_url}?"):
            answer = await self._http.get(target)
        if answer.status_code == _SEE_OTHER:
            return Paid(answer.status_code, target, "")
        return Paid(answer.status_code, None, answer.text)

    async def state(self) -> dict[str, Any]:
        """Counts of objects and deliveries, the clock, the endpoints."""
        return await self._control("GET", "state")  # type: ignore[no-any-return]

    async def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery: event_id, type, endpoint, state, attempts, answer."""
        return await self._control("GET", "deliveries")  # type: ignore[no-any-return]

    async def reset(self) -> None:
        """Forget everything: payments, events, keys, the clock's shift, ordered trouble. Endpoints stay."""
        await self._control("POST", "reset")

    async def shift_clock(self, seconds: float) -> None:
        """Let time pass (or take it back); returns when all that became due has happened."""
        await self._control("POST", "clock", shift_seconds=seconds)

    async def deliver_to(self, *urls: str, secret: str) -> None:
        await self._control("PUT", "webhooks/endpoints", urls=list(urls), secret=secret)

    async def trouble_webhooks(
        self,
        *,
        duplicate: int = 0,
        drop: int = 0,
        delay_seconds: float = 0,
        jitter_seconds: float = 0,
        types: tuple[str, ...] = (),
    ) -> None:
        """For events written from now on: the next `duplicate` come twice, the next `drop` never, all late.

        Without arguments trouble ends. `types` are beginnings of the event types that are meant.
        """
        await self._control(
            "PUT",
            "webhooks",
            duplicate=duplicate,
            drop=drop,
            delay_seconds=delay_seconds,
            jitter_seconds=jitter_seconds,
            types=list(types),
        )

    async def order_fault(
        self,
        kind: Literal["rate_limited", "server_error", "lost_answer", "dropped_connection", "slow"],
        *,
        method: str = "*",
        path: str = "/v1/",
        count: int = 1,
        seconds: float = 1,
        every: int = 1,
    ) -> None:
        """Of the next API calls whose method and path begin like this, each `every`-th goes wrong, `count` in all."""
        order = {"kind": kind, "method": method, "path": path, "count": count}
        await self._control("POST", "faults", **order, seconds=seconds, every=every)

    async def settle(
        self, session_id: str, outcome: Literal["succeeded", "failed"] = "succeeded"
    ) -> dict[str, Any]:
        return await self._control("POST", f"sessions/{session_id}/settlement", outcome=outcome)  # type: ignore[no-any-return]

    async def dispute(self, charge_id: str, reason: str = "fraudulent") -> dict[str, Any]:
        return await self._control("POST", f"charges/{charge_id}/dispute", reason=reason)  # type: ignore[no-any-return]

    async def decide_dispute(
        self, dispute_id: str, outcome: Literal["under_review", "won", "lost"]
    ) -> dict[str, Any]:
        return await self._control("POST", f"disputes/{dispute_id}/outcome", outcome=outcome)  # type: ignore[no-any-return]

    async def order_refunds(self, status: Literal["pending", "failed"], count: int = 1) -> None:
        """The next refunds come out like this instead of succeeded."""
        await self._control("POST", "refunds/next", status=status, count=count)

    async def conclude_refund(
        self, refund_id: str, outcome: Literal["succeeded", "failed"] = "succeeded"
    ) -> dict[str, Any]:
        return await self._control("POST", f"refunds/{refund_id}/outcome", outcome=outcome)  # type: ignore[no-any-return]

    async def refund_by_hand(
        self, charge_id: str, *, amount: int | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        """A refund made in the Dashboard, without the product's knowledge. `amount` in cents; None is all."""
        return await self._control("POST", f"charges/{charge_id}/refund", amount=amount, reason=reason)  # type: ignore[no-any-return]

    async def resend(self, event_id: str) -> None:
        await self._control("POST", f"events/{event_id}/resend")

    async def _control(self, verb: str, place: str, /, **body: Any) -> Any:
        content = {"json": body} if verb != "GET" else {}
        answer = await self._http.request(verb, f"{self.url}/_control/{place}", **content)  # type: ignore[arg-type]
        if not answer.is_success:
            raise RuntimeError(f"the pay sandbox refused {verb} {place}: {answer.status_code} {answer.text}")
        return answer.json()


class _Form(HTMLParser):
    """The fields of the page's form with the values that it came with."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name")
        is_choice = values.get("type") in {"radio", "checkbox"}
        if tag == "input" and name and (not is_choice or "checked" in values):
            self.fields[name] = values.get("value") or ""


def _filled_in(html: str) -> dict[str, str]:
    form = _Form()
    form.feed(html)
    return form.fields
