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


@pytest.fixture(scope="session")
async def probed_application(
    warm_database: Database, process_database: str, redis_client: Redis, redis_server: EmbeddedRedis
) -> AsyncIterator[Site]:
    """The site of this test process, without a socket."""
    settings = settings_for(process_database, redis_server.url)
    async with site(settings, PROBES, database=warm_database, redis=redis_client) as one:
        yield with_probe_templates(one)


@pytest.fixture
def probed(probed_application: Site, probed_database: Database) -> Site:
    """The site over this test's own database."""
    assert probed_application.database is probed_database
    return probed_application


@pytest.fixture
async def browser(probed: Site) -> AsyncIterator[Browser]:
    """A browser on that site."""
    async with probed.browser() as one:
        yield one


@pytest.fixture(scope="session")
async def served_application_with_probes(
    warm_database: Database, process_database: str, redis_client: Redis, redis_server: EmbeddedRedis
) -> AsyncIterator[Site]:
    """The site of this test process, behind a real server."""
    given = {"database": warm_database, "redis": redis_client}
    async with served(process_database, redis_server.url, PROBES, given) as (one, _server):
        yield with_probe_templates(one)


@pytest.fixture
def served_site(served_application_with_probes: Site, probed_database: Database) -> Site:
    """The site behind a real server, over this test's own database."""
    assert served_application_with_probes.database is probed_database
    return served_application_with_probes
