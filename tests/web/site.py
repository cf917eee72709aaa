"""The site as tests visit it: the real application, in this event loop, with or without a real server around it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import uvicorn
from litestar import Litestar
from redis.asyncio import Redis

from infra.local.visitor import Browser
from models.accounts import sessions
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from models.base.settings import Settings
from models.base.settings.running import AppSettings, DatabaseSettings, RedisSettings
from models.base.settings.selling import OrderSettings, StripeSettings
from models.base.settings.working import JobSettings, LlmSettings, MailSettings
from web import serve
from web.app import create_app

SECRET = "a secret of the tests that is long enough"


def settings_for(
    database_url: str, redis_url: str, *, public_url: str = "https://galley.test", **app: Any
) -> Settings:
    """Settings for a site on these servers."""
    app = {"environment": "test", "secret_key": SECRET, "public_url": public_url} | app
    return Settings(
        app=AppSettings(**app),
        database=DatabaseSettings(url=database_url),
        redis=RedisSettings(url=redis_url),
        stripe=StripeSettings(secret_key="sk_test_1"),
        mail=MailSettings(),
        llm=LlmSettings(),
        orders=OrderSettings(),
        jobs=JobSettings(),
    )


class Site:
    """A running application and the browsers that visit it."""

    def __init__(self, app: Litestar, settings: Settings, base_url: str | None = None) -> None:
        self.app = app
        self.settings = settings
        self.base_url = base_url or settings.app.public_url
        self.is_served = base_url is not None

    @property
    def database(self) -> Database:
        """The site's database."""
        database: Database = self.app.state.database
        return database

    def browser(self, **headers: str) -> Browser:
        """A new browser, without cookies."""
        app: Any = self.app
        transport = None if self.is_served else httpx2.ASGITransport(app, raise_app_exceptions=False)
        return Browser(self.base_url, transport=transport, headers=headers)

    async def person(self, email: str, role: Role = Role.CUSTOMER) -> UUID:
        """A person of this role."""
        async with self.database.transaction() as session:
            person = Person(email=email, role=role)
            session.add(person)
            await session.flush()
            return person.id

    async def sign_in(self, browser: Browser, email: str, role: Role = Role.CUSTOMER) -> UUID:
        """Give the browser the cookie of a new session of a new person; returns the session's id."""
        person_id = await self.person(email, role)
        async with self.database.transaction() as session:
            person = await session.get_one(Person, person_id)
            row, token = await sessions.start(session, person, method="code", user_agent="", ip="", at=now())
        name = self.app.state.jar.name("galley_session")
        browser.client.cookies.set(name, token)
        return row.id


@asynccontextmanager
async def site(settings: Settings, handlers: Sequence[Any] = (), **given: Any) -> AsyncIterator[Site]:
    """The application with these additional handlers, alive, spoken to without a socket."""
    app = create_app(settings, handlers=tuple(handlers), **given)
    async with _alive(app):
        yield Site(app, settings)


#: Applications of this test process: making one takes as long as a test. They last until the pool is closed.
_LASTING: dict[tuple[str, int], Site] = {}
_LIVES = contextlib.AsyncExitStack()


async def lasting_site(
    settings: Settings, database: Database, redis: Redis, handlers: Sequence[Any] = ()
) -> Site:
    """The application of this process with these settings and handlers; what tests leave is not in it."""
    key = (repr(settings), hash(tuple(handlers)))
    if key not in _LASTING:
        one = site(settings, handlers, database=database, redis=redis)
        _LASTING[key] = await _LIVES.enter_async_context(one)
    assert _LASTING[key].database is database
    return _LASTING[key]


async def end_lasting_sites() -> None:
    """End what `lasting_site` began."""
    _LASTING.clear()
    await _LIVES.aclose()


@asynccontextmanager
async def _alive(app: Litestar) -> AsyncIterator[None]:
    """The application's life in a task of its own: Litestar's must begin and end in the same one, and the two
    halves of a fixture do not.
    """
    begun, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            begun.set()
            await over.wait()

    life = asyncio.create_task(live())
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait({life, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        waiting.cancel()
        await life
    try:
        yield
    finally:
        over.set()
        await life


class _Server(serve.Server):
    """A server beside the test in its own loop, which leaves the test's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(
    database_url: str,
    redis_url: str,
    handlers: Sequence[Any] = (),
    given: Mapping[str, Any] | None = None,
    **app: Any,
) -> AsyncIterator[tuple[Site, serve.Server]]:
    """The application behind a real server on a loopback port, with connections of its own or those `given`."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = settings_for(database_url, redis_url, public_url=url, **app)
        async with serving(settings, listening, handlers, **(given or {})) as both:
            yield both


@asynccontextmanager
async def serving(
    settings: Settings, listening: socket.socket, handlers: Sequence[Any] = (), **given: Any
) -> AsyncIterator[tuple[Site, serve.Server]]:
    """The application behind a real server on this socket."""
    application = create_app(settings, handlers=tuple(handlers), **given)
    config = uvicorn.Config(application, lifespan="on", log_config=None, access_log=False, ws="none")
    server = _Server(config, application.state.hub)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
        if running.done():
            await running
    try:
        yield Site(application, settings, settings.app.public_url), server
    finally:
        server.hub.drain()
        server.should_exit = True
        await running
