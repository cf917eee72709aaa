"""One sandbox process for all of these tests; each begins with it empty and its clock set right."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import stripe

from infra.local.embedded import EmbeddedPostgres
from infra.sandbox.client import SandboxClient
from tests.sandbox.buyer import Buyer, talking
from tests.sandbox.servers import SECRET, Receiver, SandboxProcess, receiving


def pytest_itemcollected(item: pytest.Item) -> None:
    """The library hands its form to httpx in a way that httpx calls old; that is between the two of them."""
    item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@pytest.fixture(scope="session")
def sandbox_database(postgres: EmbeddedPostgres) -> str:
    return postgres.database(f"pay_sandbox_{os.getpid()}")


@pytest.fixture(scope="session")
def sandbox_process(sandbox_database: str) -> Iterator[SandboxProcess]:
    process = SandboxProcess(sandbox_database, PAY_SANDBOX_SETTLE_SECONDS="3600")
    yield process
    process.stop()


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def sandbox(sandbox_process: SandboxProcess, receiver: Receiver) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox_process.url) as client:
        await client.reset()
        receiver.forget()
        await client.deliver_to(receiver.url, secret=SECRET)
        yield client


@pytest.fixture
async def client(sandbox: SandboxClient) -> AsyncIterator[stripe.StripeClient]:
    async with talking(sandbox.url) as one:
        yield one


@pytest.fixture
def buyer(sandbox: SandboxClient, client: stripe.StripeClient, receiver: Receiver) -> Buyer:
    return Buyer(sandbox, client, receiver)
