"""A world with a language model in it."""

import importlib
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from models.base.settings import Settings
from models.base.settings.working import LlmSettings
from tasks.world import World
from tests.articles.author import Author
from tests.llm.server import ModelServer
from tests.web.site import Site, lasting_site


@pytest.fixture(scope="session", autouse=True)
def providers() -> None:
    """The heavy libraries, brought in before any test has to wait for them."""
    importlib.import_module("tasks.llm.providers")


@pytest.fixture(scope="session")
async def lasting_server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
def server(lasting_server: ModelServer) -> ModelServer:
    """A provider that an author sits behind, and that nobody has asked yet."""
    lasting_server.answer = Author()
    lasting_server.calls.clear()
    lasting_server.called.clear()
    return lasting_server


@pytest.fixture
def author(server: ModelServer) -> Author:
    """Who answers."""
    assert isinstance(server.answer, Author)
    return server.answer


def with_model(settings: Settings, server: ModelServer, *, budget_per_day_cents: int = 0) -> Settings:
    """The settings of an installation that asks this provider."""
    llm = LlmSettings(
        model="openai:gpt-5-mini",
        openai_api_key=SecretStr("sk-test"),
        openai_base_url=f"{server.url}/v1",
        budget_per_day_cents=budget_per_day_cents,
    )
    return settings.model_copy(update={"llm": llm})


def with_settings(world: World, settings: Settings) -> World:
    """The same world under other settings."""
    return World(settings, world.database, world.redis, world.keys, world.post)


@pytest.fixture
def world(world: World, server: ModelServer) -> World:
    """The world, in which articles can be written."""
    return with_settings(world, with_model(world.settings, server))


@pytest.fixture
async def shopfront(world: World) -> Site:
    """The site of this world."""
    return await lasting_site(world.settings, world.database, world.redis)
