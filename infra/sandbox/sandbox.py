"""The parts of a running sandbox, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infra.sandbox.clockwork import Clockwork
from infra.sandbox.courier import Courier, Endpoints
from infra.sandbox.ledger import Ledger, open_ledger
from infra.sandbox.settings import Settings


@dataclass(frozen=True, slots=True)
class Sandbox:
    settings: Settings
    public_url: str
    ledger: Ledger
    courier: Courier
    clockwork: Clockwork

    def deliver_to(self, urls: tuple[str, ...], secret: str) -> None:
        """Where events go from now on; what still waits follows to the new addresses."""
        self.courier.endpoints = Endpoints(urls, secret)
        self.ledger.endpoints = len(urls)
        self.courier.wake()


@asynccontextmanager
async def open_sandbox(settings: Settings, *, public_url: str) -> AsyncIterator[Sandbox]:
    async with open_ledger(settings.database_url) as ledger:
        courier = Courier(ledger)
        clockwork = Clockwork(ledger, courier)
        sandbox = Sandbox(settings, public_url, ledger, courier, clockwork)
        sandbox.deliver_to(settings.webhook_urls, settings.webhook_secret)
        async with courier.at_work(), clockwork.at_work():
            yield sandbox
