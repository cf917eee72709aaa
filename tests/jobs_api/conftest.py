"""A bureau: the site that takes jobs, and a worker's world behind it."""

from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from models.base.db import Database
from models.base.settings import Settings
from models.base.settings.working import FileSettings
from tasks.world import World
from tests.jobs_api.programs import Bureau
from tests.web.site import lasting_site


@pytest.fixture
async def bureau(
    settings: Settings, world: World, database: Database, redis: Redis, run_folder: Path
) -> Bureau:
    """The site and the world; reports lie in this run's folder."""
    files = FileSettings(folder=run_folder / "reports")
    settings = settings.model_copy(update={"files": files})
    return Bureau(replace(world, settings=settings), await lasting_site(settings, database, redis))
