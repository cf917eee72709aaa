"""One sandbox process for all of these tests, empty at the beginning of each, and a shop of the test's own."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from redis.asyncio import Redis
from sqlalchemy import text

from emails.post import OutboxPost
from infra.local.embedded import EmbeddedPostgres
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.settings import Settings, StripeSettings
from tasks.world import World
from tests.payments.shop import Shop
from tests.payments.slice import TABLE
from tests.sandbox.servers import SECRET, SandboxProcess
from tests.web.site import Site, _Server
from web.app import create_app


@pytest.fixture(scope="session")
def sandbox_process(postgres: EmbeddedPostgres) -> Iterator[SandboxProcess]:
    """Stripe, for these tests."""
    name = postgres.database(f"pay_sandbox_shop_{os.getpid()}")
    process = SandboxProcess(name, PAY_SANDBOX_SETTLE_SECONDS="3600")
    yield process
    process.stop()


@pytest.fixture
async def sandbox(sandbox_process: SandboxProcess) -> AsyncIterator[SandboxClient]:
    """The sandbox, empty, its clock right, no trouble ordered."""
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
def paying_settings(settings: Settings, sandbox: SandboxClient, listening: socket.socket) -> Settings:
    """The settings of an installation whose Stripe is the sandbox."""
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    stripe = StripeSettings(
        secret_key="sk_test_shop", webhook_secrets=SECRET, api_base=sandbox.url, pay_host=sandbox.url
    )
    return settings.model_copy(
        update={"stripe": stripe, "app": settings.app.model_copy(update={"public_url": url})}
    )


@pytest.fixture
async def shop(
    paying_settings: Settings,
    database: Database,
    redis: Redis,
    sandbox: SandboxClient,
    listening: socket.socket,
) -> AsyncIterator[Shop]:
    """The application behind a real server that the sandbox sends its events to, and somebody who buys."""
    site_app = create_app(paying_settings, database=database, redis=redis)
    config = uvicorn.Config(site_app, lifespan="on", log_config=None, access_log=False, ws="none")
    server = _Server(config, site_app.state.hub)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
        if running.done():
            await running
    url = paying_settings.app.public_url
    await sandbox.deliver_to(f"{url}/webhooks/stripe", secret=SECRET)
    person = Person(id=new_id(), email="ada@example.com")
    async with database.transaction() as session:
        session.add(person)
        await session.execute(text(TABLE))
    world = World(paying_settings, database, redis, Keys.of(paying_settings), OutboxPost())
    try:
        yield Shop(world, Site(site_app, paying_settings, url), sandbox, person.id)
    finally:
        await sandbox.deliver_to(secret=SECRET)
        server.hub.drain()
        server.should_exit = True
        await running
