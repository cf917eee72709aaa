"""The product as customers and Stripe reach it: one served application and one pay sandbox per test process.

Both take longer to start than a test takes; what a test leaves behind is in the database, in Redis and in the
sandbox, and those are emptied.
"""

import os
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from infra.local.embedded import EmbeddedPostgres, EmbeddedRedis
from infra.sandbox.client import SandboxClient
from models.base.db import Database
from models.base.settings.selling import OrderSettings, StripeSettings
from tests.sandbox.servers import SECRET, SandboxProcess
from tests.web.site import Site, serving, settings_for


@pytest.fixture(scope="session")
def sandbox_process(postgres: EmbeddedPostgres) -> Iterator[SandboxProcess]:
    """Stripe, for these tests. A bank debit settles when a test moves the clock."""
    process = SandboxProcess(
        postgres.database(f"pay_sandbox_shop_{os.getpid()}"), PAY_SANDBOX_SETTLE_SECONDS="3600"
    )
    yield process
    process.stop()


@pytest.fixture
async def sandbox(sandbox_process: SandboxProcess) -> AsyncIterator[SandboxClient]:
    """The sandbox, empty, its clock right, no trouble ordered."""
    async with SandboxClient(sandbox_process.url) as client:
        await client.reset()
        yield client


@pytest.fixture(scope="session")
async def served_application(
    warm_database: Database,
    process_database: str,
    redis_client: Redis,
    redis_server: EmbeddedRedis,
    sandbox_process: SandboxProcess,
) -> AsyncIterator[Site]:
    """The application behind a real server. Its Stripe is the sandbox, and its own demo page may be linked to."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        stripe = StripeSettings(
            secret_key="sk_test_shop",
            webhook_secrets=SECRET,
            api_base=sandbox_process.url,
            pay_host=sandbox_process.url,
        )
        orders = OrderSettings(allowed_private_targets=host, denied_domains="casino.example")
        settings = settings_for(process_database, redis_server.url, public_url=f"http://{host}").model_copy(
            update={"stripe": stripe, "orders": orders}
        )
        async with serving(settings, listening, database=warm_database, redis=redis_client) as (site, _):
            yield site


@pytest.fixture
async def storefront(
    served_application: Site, database: Database, sandbox: SandboxClient
) -> AsyncIterator[Site]:
    """The application over this test's empty database, told by the sandbox of what happens there."""
    assert served_application.database is database
    await sandbox.deliver_to(f"{served_application.base_url}/webhooks/stripe", secret=SECRET)
    yield served_application
    await sandbox.deliver_to(secret=SECRET)
