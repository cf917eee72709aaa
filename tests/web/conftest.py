"""A site with probe handlers, on this test's own database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from jinja2 import FileSystemLoader
from redis.asyncio import Redis
from sqlalchemy import text

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.base.db import Database
from tests.web.probes import PROBES, TABLES
from tests.web.site import Site, served, settings_for, site


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """The way in which structlog shows errors by itself takes minutes to draw an application."""
    structlog.configure(
        processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )


TEMPLATES = Path(__file__).parent / "templates"


def with_probe_templates(a_site: Site) -> Site:
    """Let the site's pages find the templates of the probes."""
    loader = a_site.app.state.pages.environment.loader
    assert isinstance(loader, FileSystemLoader)
    loader.searchpath.append(str(TEMPLATES))
    return a_site


@pytest.fixture
async def probed_database(database: Database) -> Database:
    """The test's database with the table of the probes."""
    async with database.transaction() as session:
        await session.execute(text(TABLES))
    return database


@pytest.fixture
async def probed(
    probed_database: Database, database_url: str, redis: Redis, redis_server: EmbeddedRedis
) -> AsyncIterator[Site]:
    """The site, without a socket."""
    settings = settings_for(database_url, redis_server.url)
    async with site(settings, PROBES, database=probed_database, redis=redis) as one:
        yield with_probe_templates(one)


@pytest.fixture
async def browser(probed: Site) -> AsyncIterator[Browser]:
    """A browser on that site."""
    async with probed.browser() as one:
        yield one


@pytest.fixture
async def served_site(
    probed_database: Database, database_url: str, redis_server: EmbeddedRedis
) -> AsyncIterator[Site]:
    """The site behind a real server."""
    async with served(database_url, redis_server.url, PROBES) as (one, _server):
        yield with_probe_templates(one)
