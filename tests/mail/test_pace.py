"""How fast letters may leave: one pace for all workers together, and a pace of one's own without Redis."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from models.base.news import connect
from tasks.mail import PATIENCE, _OwnPace, _wait_for_turn
from tasks.runs import Snooze


async def test_every_sender_books_the_next_moment_of_one_clock(redis: Redis) -> None:
    await _wait_for_turn(redis, 1000)
    first = float(await redis.get("mail:free_at") or 0)
    await _wait_for_turn(redis, 1000)
    second = float(await redis.get("mail:free_at") or 0)
    assert second - first >= 1000  # microseconds


async def test_a_turn_that_is_far_away_is_waited_for_outside_and_not_booked(redis: Redis) -> None:
    await _wait_for_turn(redis, 1 / 20)  # one letter in twenty seconds
    booked = await redis.get("mail:free_at")
    with pytest.raises(Snooze) as later:
        await _wait_for_turn(redis, 1 / 20)
    assert PATIENCE < later.value.wait <= timedelta(seconds=20)
    assert await redis.get("mail:free_at") == booked


async def test_without_redis_a_process_keeps_a_pace_of_its_own() -> None:
    away = connect("redis://127.0.0.1:1/0")
    await _wait_for_turn(away, 1000)
    await away.connection_pool.disconnect()
    pace = _OwnPace()
    assert pace.book(timedelta(seconds=2)) == timedelta()
    assert timedelta(seconds=1) < pace.book(timedelta(seconds=2)) <= timedelta(seconds=2)
