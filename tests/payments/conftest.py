"""A shop that sells something reduced to its payments, and somebody who buys."""

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from emails.post import OutboxPost
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.base.db import new_id
from tasks.world import World
from tests.payments.shop import Shop
from tests.payments.slice import TABLE
from tests.web.site import Site


@pytest.fixture
async def shop(storefront: Site, sandbox: SandboxClient, redis: Redis) -> Shop:
    """The shop, and a customer of it."""
    person = Person(id=new_id(), email="ada@example.com")
    async with storefront.database.transaction() as session:
        session.add(person)
        await session.execute(text(TABLE))
    settings = storefront.settings
    world = World(settings, storefront.database, redis, Keys.of(settings), OutboxPost())
    return Shop(world, storefront, sandbox, person.id)
