"""Pages that change by themselves: nothing is lost for good, whatever happens to Redis, the network or the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text

from infra.local.embedded import EmbeddedRedis
from models.accounts import sessions
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database, changed
from models.base.errors import TooMany
from models.base.news import CHANNEL
from tests.web.conftest import with_probe_templates
from tests.web.probes import PROBES
from tests.web.site import Site, served
from web.live import EventHub
from web.seats import MOST_OF_A_NETWORK, MOST_OF_A_PERSON, Seats
from web.visitor import Visitor

SOON = 10.0


@pytest.fixture
async def hub(redis_server: EmbeddedRedis) -> AsyncIterator[EventHub]:
    one = EventHub(redis_server.url)
    await one.start()
    yield one
    await one.stop()


class Watcher:
    """Counts what `changes` tells, in a task of its own."""

    def __init__(self, hub: EventHub, *topics: str) -> None:
        self.told = 0
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._watch(hub, topics))

    async def _watch(self, hub: EventHub, topics: tuple[str, ...]) -> None:
        async for _ in hub.changes(*topics):
            self.told += 1
            self.news.set()

    async def next(self) -> None:
        async with asyncio.timeout(SOON):
            await self.news.wait()
        self.news.clear()

    async def quiet(self) -> None:
        """Until what was already under way has been told."""
        await asyncio.sleep(0.2)
        self.news.clear()


async def publish(redis: Redis, topic: str) -> None:
    await redis.publish(CHANNEL, orjson.dumps({"topic": topic}))


async def test_a_change_is_told_to_those_who_watch_it_and_to_nobody_else(hub: EventHub, redis: Redis):
    one, other = Watcher(hub, "order/1", "person/1"), Watcher(hub, "order/2")
    await one.quiet()
    await other.quiet()
    told = one.told, other.told

    await publish(redis, "order/1")
    await one.next()
    await publish(redis, "person/1")
    await one.next()

    assert (one.told, other.told) == (told[0] + 2, told[1])
    for watcher in (one, other):
        watcher.task.cancel()


async def test_who_is_slow_hears_of_many_changes_once(hub: EventHub, redis: Redis):
    changes = hub.changes("order/1")
    await publish(redis, "order/1")
    await asyncio.sleep(0.2)
    await anext(changes)

    for _ in range(100):
        await publish(redis, "order/1")
    await asyncio.sleep(0.2)
    await anext(changes)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await anext(changes)
    await changes.aclose()


async def test_nothing_is_kept_of_who_has_gone(hub: EventHub):
    changes = hub.changes("order/1", "order/2")
    await anext(changes)
    assert hub.waiting == 2

    await changes.aclose()
    assert hub.waiting == 0


async def test_words_that_are_not_ours_are_passed_over(hub: EventHub, redis: Redis):
    watcher = Watcher(hub, "order/1")
    await watcher.quiet()
    for nonsense in (b"", b"{}", b"[1]", b'{"topic": 7}', b"\xff"):
        await redis.publish(CHANNEL, nonsense)
    await publish(redis, "order/1")

    await watcher.next()
    assert not hub.is_degraded
    watcher.task.cancel()


async def test_a_killed_connection_is_made_again_and_what_was_missed_is_looked_for(
    hub: EventHub, redis: Redis
):
    watcher = Watcher(hub, "order/1")
    await watcher.quiet()

    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
    await watcher.next()

    await watcher.quiet()
    await publish(redis, "order/1")
    await watcher.next()
    watcher.task.cancel()


async def test_a_redis_that_comes_back_is_heard_again(tmp_path: Path):
    server = EmbeddedRedis(tmp_path / "own")
    hub = EventHub(server.url)
    await hub.start()
    watcher = Watcher(hub, "order/1")
    await watcher.quiet()

    server.stop()
    async with asyncio.timeout(SOON):
        while not hub.is_degraded:
            await asyncio.sleep(0.01)
    server.restart()
    await watcher.next()
    assert not hub.is_degraded

    async with Redis.from_url(server.url) as client:
        await watcher.quiet()
        await publish(client, "order/1")
    await watcher.next()

    await hub.stop()
    await watcher.task
    server.stop()


async def test_draining_ends_every_wait(hub: EventHub):
    watchers = [Watcher(hub, f"order/{number}") for number in range(50)]
    await watchers[0].quiet()

    hub.drain()
    async with asyncio.timeout(SOON):
        await asyncio.gather(*(watcher.task for watcher in watchers))
    assert hub.waiting == 0


async def test_a_hub_can_be_stopped_at_any_moment(redis_server: EmbeddedRedis):
    for moment in (0, 0.001, 0.002, 0.003, 0.005, 0.008, 0.02) * 6:
        hub = EventHub(redis_server.url)
        await hub.start()
        await asyncio.sleep(moment)
        async with asyncio.timeout(SOON):
            await hub.stop()


# ---------------------------------------------------------------- through a real server
class Stream:
    """A stream of events, as a browser reads it."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.lines = response.aiter_lines()

    async def event(self) -> dict[str, str]:
        """The next event, past the pings."""
        event: dict[str, str] = {}
        async with asyncio.timeout(SOON):
            async for line in self.lines:
                name, _, value = line.partition(": ")
                if not line and event:
                    return event
                if name and line:
                    event[name] = f"{event[name]}\n{value}" if name in event else value
        raise EOFError

    async def whole(self) -> str:
        """What the next event shows."""
        return (await self.event())["data"]


def opened(client: httpx2.AsyncClient, **headers: str) -> Any:
    return client.stream("GET", "/notes/live", headers={"Accept": "text/event-stream", **headers})


async def write(database: Database, number: int, words: str) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("insert into probe_notes values (:id, :words, null)"), {"id": number, "words": words}
        )
        changed(session, "notes")


async def test_a_stream_shows_what_is_and_then_what_changes_until_it_is_done(served_site: Site):
    async with served_site.browser() as browser, opened(browser.client) as response:
        stream = Stream(response)
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]

        first = await stream.event()
        await write(served_site.database, 1, "hello")
        second = await stream.event()
        await write(served_site.database, 2, "end")
        third = await stream.event()
        done = await stream.event()

        assert [event["data"] for event in (first, second, third)] == [
            "<p></p>",
            "<p>hello</p>",
            "<p>hello, end</p>",
        ]
        assert len({event["id"] for event in (first, second, third)}) == 3
        assert done["event"] == "done"
        with pytest.raises(EOFError):
            await stream.event()


async def test_who_comes_back_is_not_shown_again_what_they_see(served_site: Site):
    async with served_site.browser() as browser:
        async with opened(browser.client) as response:
            seen = await Stream(response).event()
        async with opened(browser.client, **{"Last-Event-ID": seen["id"]}) as response:
            stream = Stream(response)
            await write(served_site.database, 1, "hello")
            assert (await stream.event())["data"] == "<p>hello</p>"


async def test_an_open_stream_holds_no_connection_to_the_database(served_site: Site):
    pool: Any = served_site.database.engine.sync_engine.pool
    async with served_site.browser() as browser:
        await served_site.sign_in(browser, "ada@example.com")
        async with opened(browser.client) as response:
            await Stream(response).event()
            assert pool.checkedout() == 0


async def test_the_end_of_a_session_is_the_end_of_its_streams(served_site: Site):
    async with served_site.browser() as browser:
        session_id = await served_site.sign_in(browser, "ada@example.com")
        async with opened(browser.client) as response:
            stream = Stream(response)
            await stream.event()
            async with served_site.database.transaction() as session:
                person = await session.scalar(text("select person_id from accounts_sessions"))
                await sessions.revoke(session, session_id, person_id=person, at=now())

            assert (await stream.event())["event"] == "done"
            with pytest.raises(EOFError):
                await stream.event()


async def test_a_reader_who_leaves_leaves_nothing_behind(served_site: Site):
    hub: EventHub = served_site.app.state.hub
    async with served_site.browser() as browser, opened(browser.client) as response:
        await Stream(response).event()
        assert hub.waiting == 1

    async with asyncio.timeout(SOON):
        while hub.waiting:
            await asyncio.sleep(0.02)


async def test_who_has_too_many_streams_open_gets_no_more_until_one_ends(served_site: Site):
    seats: Seats = served_site.app.state.hub.seats
    async with served_site.browser() as ada, served_site.browser() as bob, AsyncExitStack() as office:
        await served_site.sign_in(ada, "ada@example.com")
        await served_site.sign_in(bob, "bob@example.com")
        async with served_site.database.transaction() as session:
            people = select(Person).where(Person.email == "ada@example.com")
            person = (await session.scalars(people)).one()
        here: dict[str, Any] = {"browser": "", "csrf": "", "ip": "127.0.0.1", "network": "127.0.0.1"}
        colleague = Visitor(None, None, None, user_agent="", **here)
        async with AsyncExitStack() as tabs:
            for _ in range(MOST_OF_A_PERSON):
                await tabs.enter_async_context(seats.taken(replace(colleague, person=person)))
            async with opened(ada.client) as refused, opened(bob.client) as let_in:
                assert (refused.status_code, refused.headers["retry-after"]) == (429, "15")
                assert b"reload this one" in await refused.aread()
                assert let_in.status_code == 200
            with pytest.raises(TooMany, match="Close those that are not read"):
                seats.check(replace(colleague, person=person, token_id=person.id))
        async with opened(ada.client) as response:
            assert response.status_code == 200
        for _ in range(MOST_OF_A_NETWORK):
            await office.enter_async_context(seats.taken(colleague))
        async with opened(bob.client) as response:
            assert response.status_code == 429


@pytest.mark.slow
async def test_streams_end_cleanly_when_the_process_does(
    probed_database: Database, database_url: str, redis_server: EmbeddedRedis
):
    async with served(database_url, redis_server.url, PROBES) as (one, server):
        with_probe_templates(one)
        limits = httpx2.Limits(max_connections=60)
        async with httpx2.AsyncClient(base_url=one.base_url, limits=limits, timeout=30) as client:

            async def read_to_the_end(ready: asyncio.Event) -> str:
                async with opened(client) as response:
                    stream = Stream(response)
                    await stream.event()
                    ready.set()
                    with pytest.raises(EOFError):
                        await stream.event()
                return "ended"

            readies = [asyncio.Event() for _ in range(50)]
            readers = [asyncio.create_task(read_to_the_end(ready)) for ready in readies]
            async with asyncio.timeout(SOON):
                await asyncio.gather(*(ready.wait() for ready in readies))

            server.handle_exit(15, None)
            async with asyncio.timeout(SOON):
                assert await asyncio.gather(*readers) == ["ended"] * 50
