"""Load balancers are told the truth, and Redis alone is no reason to send people away."""

from redis.asyncio import Redis

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.base.db import Database
from tests.web.site import settings_for, site

NOWHERE = "redis://127.0.0.1:1/0"
NOBODY = "postgresql://nobody@127.0.0.1:1/none"


async def test_a_whole_process_is_ready(browser: Browser):
    answer = await browser.open("/health/ready")

    assert (answer.status, answer.response.json()["status"]) == (200, "ok")


async def test_without_redis_it_is_degraded_and_goes_on(database: Database, database_url: str):
    async with site(settings_for(database_url, NOWHERE), database=database) as one, one.browser() as visitor:
        answer = await visitor.open("/health/ready")

    assert answer.status == 200
    assert answer.response.json() == {"status": "degraded", "database": "ok", "redis": "down"}


async def test_without_its_database_it_is_not_ready_but_lives(redis_server: EmbeddedRedis):
    async with site(settings_for(NOBODY, redis_server.url)) as one, one.browser() as visitor:
        ready = await visitor.open("/health/ready")
        live = await visitor.open("/health/live")

    assert (ready.status, ready.response.json()["status"]) == (503, "down")
    assert live.status == 200


async def test_whoever_has_reached_its_database_once_has_started_for_good(
    database: Database, redis_server: EmbeddedRedis
):
    async with site(settings_for(NOBODY, redis_server.url)) as one, one.browser() as visitor:
        away = one.database
        statuses = [(await visitor.open("/health/started")).status]
        for one.app.state.database in (database, away):
            statuses.append((await visitor.open("/health/started")).status)
        ready = await visitor.open("/health/ready")

    assert statuses == [503, 200, 200]
    assert ready.status == 503


async def test_who_is_leaving_is_not_ready(
    database: Database, database_url: str, redis: Redis, redis_server: EmbeddedRedis
):
    settings = settings_for(database_url, redis_server.url)
    async with site(settings, database=database, redis=redis) as one, one.browser() as visitor:
        one.app.state.hub.drain()
        answer = await visitor.open("/health/ready")

    assert (answer.status, answer.response.json()["status"]) == (503, "draining")
