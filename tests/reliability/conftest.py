"""The servers of the reliability suite, started once."""

from collections.abc import AsyncIterator

import pytest

from tests.reliability.servers import Servers, servers


@pytest.fixture(scope="session")
async def own_servers() -> AsyncIterator[Servers]:
    """Servers that a test may kill."""
    async with servers() as both:
        yield both
