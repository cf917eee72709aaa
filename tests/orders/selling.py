"""A shop that sells, as a customer meets it: the demo's articles, a real server, a real worker, the pay sandbox."""

import email
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import policy
from typing import Any
from uuid import UUID

import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import event, select

from emails.post import OutboxPost
from infra.local.seed import seed
from infra.local.visitor import Browser, Screen
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.db import Database
from models.mail.tables import EmailMessage
from models.orders.tables import Order
from tasks.testing import run_everything
from tasks.world import World
from tests.web.site import Site

ARTICLE = "/catalogue/second-pour/water-for-coffee"
OWNER = "ada@example.com"
ANCHOR = "a simple mineral recipe"


@pytest.fixture
async def shop(storefront: Site, sandbox: SandboxClient, redis: Redis) -> "Shop":
    """The shop, open, with nobody in it."""
    async with storefront.database.transaction() as session:
        await seed(session)
    settings = storefront.settings
    world = World(settings, storefront.database, redis, Keys.of(settings), OutboxPost())
    return Shop(world, storefront, sandbox)


@dataclass(frozen=True)
class Shop:
    """The shop, and what a test does in it."""

    world: World
    site: Site
    sandbox: SandboxClient

    @property
    def database(self) -> Database:
        """The truth."""
        return self.world.database

    def target(self, name: str = "burr-grinders") -> str:
        """A page that links may lead to."""
        return f"{self.site.base_url}/dev/target/{name}"

    async def work(self) -> None:
        """Let the workers do everything that is due."""
        await run_everything(self.world)

    # ------------------------------------------------------------ the customer's way
    async def order_form(self, browser: Browser, **differences: str) -> Screen:
        """Fill in the order form and send it."""
        screen = await browser.open(f"{ARTICLE}/order")
        wish: dict[str, Any] = {"target_url": self.target(), "anchor_text": ANCHOR} | differences
        if "email" in screen.form(f"{ARTICLE}/order").fields:
            wish.setdefault("email", OWNER)
        return await browser.submit(screen.form(f"{ARTICLE}/order"), **wish)

    async def sign_in(self, browser: Browser, screen: Screen, address: str = OWNER) -> Screen:
        """Type the code of the newest letter into the form on the screen."""
        return await browser.submit(screen.form("/sign-in/code"), code=await self.code(address))

    async def code(self, address: str = OWNER) -> str:
        """The code of the newest sign-in letter to this address."""
        query = (
            select(EmailMessage)
            .where(EmailMessage.to_address == address, EmailMessage.kind == "accounts.sign_in")
            .order_by(EmailMessage.id.desc())
            .limit(1)
        )
        async with self.database.transaction() as session:
            letter = (await session.scalars(query)).one()
        if letter.sealed_facts is not None:
            return str(orjson.loads(self.world.keys.unseal(letter.sealed_facts))["code"])
        assert letter.sealed_mime is not None
        mime = email.message_from_bytes(self.world.keys.unseal(letter.sealed_mime), policy=policy.default)
        body = mime.get_body(("plain",))
        assert body is not None
        found = re.search(r"\b(\d{3}) ?(\d{3})\b", body.get_content())
        assert found is not None
        return found[1] + found[2]

    async def pay(self, browser: Browser, draft: Screen, **how: str) -> Screen:
        """Press the button of a draft, pay on the sandbox's page, and come back."""
        form = next(one for one in draft.forms if one.action.endswith("/payment"))
        hosted = await browser.submit(form, follow=False)
        opened = await browser.open(hosted.response.headers["location"], follow=False)
        paid = await self.sandbox.pay(opened.response.headers["location"], **how)  # type: ignore[arg-type]
        assert paid.location is not None, paid.html
        return await browser.open(paid.location)

    async def buy(self, browser: Browser) -> Screen:
        """From the order form to the page of an order whose text is ready."""
        screen = await self.sign_in(browser, await self.order_form(browser))
        await self.work()
        await self.pay(browser, await browser.open(screen.path))
        await self.work()
        return await browser.open(f"/orders/{await self.order_id()}")

    async def order_id(self) -> UUID:
        """The id of the latest order."""
        async with self.database.transaction() as session:
            return (await session.scalars(select(Order.id).order_by(Order.id.desc()).limit(1))).one()

    async def person(self, address: str = OWNER) -> Person:
        """The person with this address."""
        async with self.database.transaction() as session:
            return (await session.scalars(select(Person).where(Person.email == address))).one()


@asynccontextmanager
async def counting(database: Database) -> AsyncIterator[list[str]]:
    """Every statement that is sent to the database while the block lasts."""
    sent: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        sent.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
