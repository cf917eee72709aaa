"""The editors' desk, at which the catalogue is kept."""

from collections.abc import AsyncIterator

import pytest

from tasks.world import World
from tests.orders.desk import Desk, open_desk


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A shop with one site, one published article, and one paid order in it."""
    async with open_desk(world) as one:
        yield one
