"""Haste is slowed down, and never by a Redis that is away."""

import asyncio
from datetime import timedelta

import pytest
from litestar import get
from redis.asyncio import Redis

from infra.local.embedded import EmbeddedRedis
from models.base.db import Database
from models.base.errors import TooMany
from models.base.news import connect
from tests.web.site import settings_for, site
from web.limits import Limiter, Rate, limited

FEW = Rate(3, timedelta(hours=1))


async def test_so_many_at_once_and_no_more(redis: Redis):
    limiter = Limiter(redis)
    for _ in range(3):
        await limiter.take("letters", "ada", FEW)

    with pytest.raises(TooMany) as caught:
        await limiter.take("letters", "ada", FEW)

    assert timedelta(minutes=19) < caught.value.retry_after <= timedelta(minutes=20)
    await limiter.take("letters", "grace", FEW)
    await limiter.take("codes", "ada", FEW)


async def test_what_was_refused_does_not_count(redis: Redis):
    limiter = Limiter(redis)
    rate = Rate(1, timedelta(milliseconds=300))
    await limiter.take("letters", "ada", rate)
    for _ in range(5):
        with pytest.raises(TooMany):
            await limiter.take("letters", "ada", rate)

    await asyncio.sleep(0.35)
    await limiter.take("letters", "ada", rate)


async def test_many_at_the_same_moment_are_counted_one_by_one(redis: Redis):
    limiter = Limiter(redis)
    tries = await asyncio.gather(
        *(limiter.take("letters", "ada", FEW) for _ in range(20)), return_exceptions=True
    )

    assert [one is None for one in tries].count(True) == 3


async def test_nothing_is_kept_longer_than_it_matters(redis: Redis):
    await Limiter(redis).take("letters", "ada", Rate(3, timedelta(seconds=3)))

    assert 0 < await redis.pttl("limit:letters:ada") <= 1000


async def test_without_redis_everybody_passes():
    limiter = Limiter(connect("redis://127.0.0.1:1/0"))
    for _ in range(10):
        await limiter.take("letters", "ada", FEW)


async def test_who_is_refused_is_told_when_to_come_back(
    database: Database, database_url: str, redis: Redis, redis_server: EmbeddedRedis
):
    @get("/hasty", guards=[limited("hasty", 2, timedelta(minutes=1))])
    async def hasty() -> str:
        return "well"

    @get("/api/hasty", guards=[limited("hasty", 2, timedelta(minutes=1))])
    async def api_hasty() -> str:
        return "well"

    settings = settings_for(database_url, redis_server.url)
    async with (
        site(settings, [hasty, api_hasty], database=database, redis=redis) as one,
        one.browser() as visitor,
    ):
        statuses = [(await visitor.open("/hasty")).status for _ in range(3)]
        page = await visitor.open("/hasty")
        problem = await visitor.client.get("/api/hasty")

    assert statuses == [200, 200, 429]
    assert page.response.headers["retry-after"] == "30"
    assert "Wait 30 seconds" in page.text
    assert (problem.status_code, problem.headers["content-type"]) == (429, "application/problem+json")
