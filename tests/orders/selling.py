"""A shop that sells, as a customer meets it: the demo's articles, a real server, a real worker, the pay sandbox."""

import asyncio
import email
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import policy
from typing import Any
from uuid import UUID

import orjson
import pytest
import uvicorn
from redis.asyncio import Redis
from sqlalchemy import event, select

from emails.post import OutboxPost
from infra.local.embedded import EmbeddedPostgres
from infra.local.seed import seed
from infra.local.visitor import Browser, Screen
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import OrderSettings, Settings, StripeSettings
from models.mail.tables import EmailMessage
from models.orders.tables import Order
from tasks.world import World
from tests.sandbox.servers import SECRET, SandboxProcess
from tests.web.site import Site, _Server
from tests.work import run_everything
from web.app import create_app

ARTICLE = "/catalogue/second-pour/water-for-coffee"
OWNER = "ada@example.com"
ANCHOR = "a simple mineral recipe"


@pytest.fixture(scope="session")
def sandbox_process(postgres: EmbeddedPostgres) -> Iterator[SandboxProcess]:
    """Stripe, for these tests."""
    process = SandboxProcess(postgres.database(f"pay_sandbox_orders_{os.getpid()}"))
    yield process
    process.stop()


@pytest.fixture
async def sandbox(sandbox_process: SandboxProcess) -> AsyncIterator[SandboxClient]:
    """The sandbox, empty, its clock right."""
    async with SandboxClient(sandbox_process.url) as client:
        await client.reset()
        yield client


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A free port of this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        one.setblocking(False)
        yield one


@pytest.fixture
def selling_settings(settings: Settings, sandbox: SandboxClient, listening: socket.socket) -> Settings:
    """Settings of a shop whose Stripe is the sandbox, and whose own demo page may be linked to."""
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    stripe = StripeSettings(
        secret_key="sk_test_shop", webhook_secrets=SECRET, api_base=sandbox.url, pay_host=sandbox.url
    )
    app = settings.app.model_copy(update={"public_url": f"http://{host}"})
    orders = OrderSettings(allowed_private_targets=host, denied_domains="casino.example")
    return settings.model_copy(update={"app": app, "stripe": stripe, "orders": orders})


@pytest.fixture
async def shop(
    selling_settings: Settings,
    database: Database,
    redis: Redis,
    sandbox: SandboxClient,
    listening: socket.socket,
) -> AsyncIterator["Shop"]:
    """The shop, open, with nobody in it."""
    async with serving(selling_settings, database, redis, listening) as site:
        await sandbox.deliver_to(f"{site.base_url}/webhooks/stripe", secret=SECRET)
        async with database.transaction() as session:
            await seed(session)
        yield Shop(
            World(selling_settings, database, redis, Keys.of(selling_settings), OutboxPost()), site, sandbox
        )
        await sandbox.deliver_to(secret=SECRET)


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, redis: Redis, listening: socket.socket
) -> AsyncIterator[Site]:
    """The application behind a real server."""
    app = create_app(settings, database=database, redis=redis)
    config = uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, ws="none")
    server = _Server(config, app.state.hub)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
        if running.done():
            await running
    try:
        yield Site(app, settings, settings.app.public_url)
    finally:
        server.hub.drain()
        server.should_exit = True
        await running


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
