"""A shop as these tests see it: the real application and worker, the real library, and the pay sandbox as Stripe."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import func, select

from infra.local.visitor import Browser
from infra.sandbox.client import CARD_PAYS, Paid, SandboxClient
from models.accounts import sessions
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from models.jobs.tables import JobRow
from models.payments.checkouts import Expected, expect_payment, open_checkout
from models.payments.ledger import refunds_of
from models.payments.moves import paid_with
from models.payments.reconciliation import reconcile_checkouts
from models.payments.refunds import ask_refund
from models.payments.stripe import Stripe
from models.payments.tables import Checkout, Dispute, Refund, StripeEvent
from tasks.testing import run_everything
from tasks.world import World
from tests.payments.slice import MoneyMoved, Sold
from tests.sandbox.servers import SECRET
from tests.web.site import Site

PRICE = 4900


@dataclass
class Shop:
    world: World
    site: Site
    sandbox: SandboxClient
    person_id: UUID
    email: str = "ada@example.com"

    @property
    def database(self) -> Database:
        return self.world.database

    @property
    def url(self) -> str:
        return self.site.base_url

    def line(self) -> Stripe:
        return Stripe(self.world.settings.stripe)

    @asynccontextmanager
    async def browser(self, person_id: UUID | None = None) -> AsyncIterator[Browser]:
        """A browser in which the customer, or somebody else, is signed in."""
        async with self.site.browser() as browser:
            async with self.database.transaction() as session:
                person = await session.get_one(Person, person_id or self.person_id)
                _, token = await sessions.start(
                    session, person, method="code", user_agent="", ip="", at=now()
                )
            browser.client.cookies.set(self.site.app.state.jar.name("galley_session"), token)
            yield browser

    # ------------------------------------------------------------ buying
    def wanted(self, thing: str = "vase", **changes: Any) -> Expected:
        wish: dict[str, Any] = {
            "subject": f"thing/{thing}",
            "person_id": self.person_id,
            "email": self.email,
            "description": f"One {thing}",
            "amount_cents": PRICE,
            "currency": "usd",
            "when_paid": Sold(thing=thing),
            "when_moved": MoneyMoved(),
            "return_path": f"/things/{thing}",
            "cancel_path": f"/things/{thing}/edit",
            "is_live": False,
        }
        return Expected(**(wish | changes))

    async def expect(self, thing: str = "vase", at: datetime | None = None, **changes: Any) -> Checkout:
        async with self.database.transaction() as session:
            return await expect_payment(session, self.wanted(thing, **changes), at=at)

    async def expect_together(self, *wanted: Expected) -> list[Checkout]:
        """Several that are paid on one page, the first of them first."""
        async with self.database.transaction() as session:
            first = await expect_payment(session, *wanted)
        return await self.together(first)

    async def together(self, checkout: Checkout) -> list[Checkout]:
        """The checkout as it is now, with those of its basket."""
        async with self.database.transaction() as session:
            return list((await session.scalars(paid_with(checkout.id))).all())

    async def open(self, checkout: Checkout) -> str:
        async with self.line() as stripe:
            return await open_checkout(self.database, stripe, checkout.id, public_url=self.url)

    async def opened(self, thing: str = "vase", **changes: Any) -> Checkout:
        checkout = await self.expect(thing, **changes)
        await self.open(checkout)
        return await self.look(checkout)

    async def pay(self, checkout: Checkout, card: str = CARD_PAYS) -> Paid:
        url = (await self.look(checkout)).session_url
        assert url is not None
        return await self.sandbox.pay(url, card=card)

    async def bought(self, thing: str = "vase", card: str = CARD_PAYS) -> Checkout:
        """A checkout that was paid, told by the webhook, and worked off."""
        checkout = await self.opened(thing)
        assert (await self.pay(checkout, card)).is_done
        await self.work()
        return await self.look(checkout)

    async def work(self, *, hurry: bool = False) -> None:
        await run_everything(self.world, hurry=hurry)

    async def deliver(self) -> None:
        """Wait until the webhook has taken everything that is not dropped or delayed, then do what it asks for."""
        for _ in range(400):
            if not (await self.sandbox.state())["deliveries"]["waiting"]:
                break
            await asyncio.sleep(0.025)
        await self.work()

    async def reconcile(self) -> dict[str, int]:
        async with self.line() as stripe:
            return await reconcile_checkouts(self.database, stripe, now(), public_url=self.url)

    # ------------------------------------------------------------ looking
    async def look(self, checkout: Checkout) -> Checkout:
        async with self.database.transaction() as session:
            return await session.get_one(Checkout, checkout.id)

    async def refunds(self, checkout: Checkout) -> list[Refund]:
        async with self.database.transaction() as session:
            return list(await refunds_of(session, checkout.id))

    async def disputes(self, checkout: Checkout) -> list[Dispute]:
        query = select(Dispute).where(Dispute.checkout_id == checkout.id).order_by(Dispute.opened_at)
        async with self.database.transaction() as session:
            return list((await session.scalars(query)).all())

    async def events(self) -> list[StripeEvent]:
        async with self.database.transaction() as session:
            return list((await session.scalars(select(StripeEvent).order_by(StripeEvent.received_at))).all())

    async def jobs(self, kind: str) -> int:
        query = select(func.count()).select_from(JobRow).where(JobRow.kind == kind)
        async with self.database.transaction() as session:
            return (await session.execute(query)).scalar_one()

    # ------------------------------------------------------------ doing
    async def refund(self, checkout: Checkout, kind: str, cents: int | None = None) -> Refund | None:
        async with self.database.transaction() as session:
            return await ask_refund(session, checkout.id, kind, cents)

    async def send(
        self, payload: bytes, header: str | None = None, *, path: str = "/webhooks/stripe"
    ) -> httpx2.Response:
        """Send a webhook; signed by us as Stripe would, unless a header is given."""
        signed = signature(payload) if header is None else header
        headers = {"Stripe-Signature": signed, "Content-Type": "application/json"}
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.post(self.url + path, content=payload, headers=headers)


def signature(payload: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """The header that belongs to a payload, also to one that Stripe's library would refuse to sign."""
    moment = int(time.time() if at is None else at)
    digest = hmac.digest(secret.encode(), b"%d.%b" % (moment, payload), "sha256").hex()
    return f"t={moment},v1={digest}"


def event(about: str, kind: str = "checkout.session.completed", **changes: Any) -> dict[str, Any]:
    """An event as Stripe would write it."""
    return {
        "id": f"evt_{time.time_ns()}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "type": kind,
        "livemode": False,
        "data": {"object": {"id": about}},
    } | changes


def body(one: Any) -> bytes:
    return json.dumps(one).encode()
