"""A receiver of webhooks, the site on which admins look after them, and workers that may reach the receiver."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from redis.asyncio import Redis

from infra.local.visitor import Browser
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import Database
from models.base.settings import Settings
from models.base.settings.working import WebhookSettings
from models.notices.endpoints import Wanted, add_endpoint
from tasks.testing import run_everything
from tasks.world import World
from tests.notices.receiver import Receiver, receiving
from tests.web.site import Site, lasting_site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A system of ours, on this machine."""
    async with receiving() as one:
        yield one


@dataclass(frozen=True)
class Exchange:
    """Both ends of a webhook."""

    world: World
    site: Site
    receiver: Receiver
    admin: Person

    async def endpoint(self, *events: str) -> tuple[UUID, str]:
        """An endpoint at the receiver that hears of these events, and its secret."""
        allowed = self.world.settings.webhooks.allowed_private_hosts
        async with self.world.database.transaction() as session:
            wanted = Wanted(self.receiver.url, "Ours", events)
            made, secret = await add_endpoint(session, self.admin, wanted, self.world.keys, allowed)
        return made.id, secret

    async def work(self, *, hurry: bool = False) -> None:
        await run_everything(self.world, hurry=hurry)

    async def browser(self) -> Browser:
        """A browser in which another admin has just signed in."""
        browser = self.site.browser()
        await self.site.sign_in(browser, "boss@example.com", Role.ADMIN)
        return browser


@pytest.fixture
async def exchange(
    settings: Settings, world: World, database: Database, redis: Redis, receiver: Receiver
) -> Exchange:
    """An admin, and a receiver that webhooks may go to although it is on a private address."""
    async with database.transaction() as session:
        admin = Person(email="root@example.com", role=Role.ADMIN)
        session.add(admin)
    # Workers alone ask where a name leads; so the site need not know this test's port, and lasts.
    mine = settings.model_copy(update={"webhooks": WebhookSettings(allowed_private_hosts=receiver.host)})
    return Exchange(
        replace(world, settings=mine), await lasting_site(settings, database, redis), receiver, admin
    )
