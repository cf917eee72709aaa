"""The web application: what it is made of, and nothing else."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.base.crypto import Keys
from models.base.db import Database
from models.base.news import Herald, connect
from models.base.settings import Settings
from web import (
    accounts,
    board,
    catalogue,
    dev,
    errors,
    exports,
    health,
    jobs,
    mail,
    notices,
    nowhere,
    orders,
    payments,
    reference,
    static_files,
    system,
)
from web.board.charts import Drawings
from web.cookies import CookieJar
from web.csrf import CsrfCheck
from web.edge import Application
from web.forms import FormData, submitted
from web.limits import Limiter, tell_standing
from web.live import EventHub
from web.orders import admin
from web.pages import Entry, Pages
from web.visitor import Visitor, recognise

#: The parts of the product, each with its `handlers`; development's are shown on one's own machine only.
PARTS: Final = (
    health,
    static_files,
    accounts,
    orders,
    admin,
    board,
    catalogue,
    payments,
    mail,
    jobs,
    exports,
    notices,
    system,
    reference,
    nowhere,
)
LOCAL_PARTS: Final = (dev, orders.local)
#: The main navigation, in its order.
NAVIGATION: Final = (
    Entry("Articles", "/"),
    Entry("Your orders", "/orders", Role.CUSTOMER),
    Entry("Queues", "/admin/queues", Role.ANALYST),
    Entry("Admin", "/admin", Role.EDITOR),
)
#: The most that a form may weigh; a handler that takes more says so with `request_max_body_size`.
LARGEST_FORM: Final = 64 * 1024
#: What handlers may ask for by its name, beside `session`, `visitor`, `form` and `keys`.
GIVEN: Final = ("settings", "database", "redis", "pages", "limiter", "drawings")


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    redis: Redis | None = None,
    handlers: tuple[Any, ...] = (),
) -> Litestar:
    """The application. A `database` or `redis` that is given stays the caller's to close; `handlers` are added."""
    keys = Keys.of(settings)
    used_redis = redis if redis is not None else connect(settings.redis.url)
    used_database = database or Database(
        settings.database.url,
        pool_size=settings.database.pool_size,
        tell=Herald(used_redis).tell,
        name="galley-web",
    )
    hub = EventHub(settings.redis.url)
    assets = static_files.assets()
    pages = Pages(
        assets,
        NAVIGATION,
        is_test_mode=settings.is_test_mode,
        is_degraded=lambda: hub.is_degraded,
        is_reloading=settings.app.environment == "development",
    )
    state = {
        "settings": settings,
        "key_ring": keys,  # `keys` is a method of every State
        "jar": CookieJar(settings.app.is_https, keys),
        "database": used_database,
        "redis": used_redis,
        "hub": hub,
        "assets": assets,
        "pages": pages,
        "limiter": Limiter(used_redis),
        "drawings": Drawings(pages),
    }
    parts = (*PARTS, *(LOCAL_PARTS if settings.app.is_local else ()))
    app = Application(
        [*(handler for part in parts for handler in part.handlers), *handlers],
        state=State(state),
        dependencies={
            "session": Provide(_transaction),
            "visitor": Provide(_visitor),
            "form": Provide(_form),
            "keys": _given(keys),
            **{name: _given(state[name]) for name in GIVEN},
        },
        middleware=[CsrfCheck()],
        exception_handlers=errors.handlers,
        before_send=[tell_standing],
        request_max_body_size=LARGEST_FORM,
        lifespan=[
            _life(hub, used_database if database is None else None, used_redis if redis is None else None)
        ],
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    app.surround(settings)
    return app


async def _transaction(database: NamedDependency[Database]) -> AsyncIterator[AsyncSession]:
    # Litestar ends generator dependencies before the answer leaves: what a person reads is committed.
    async with database.transaction() as session:
        yield session


async def _visitor(request: Request[Any, Any, Any], session: NamedDependency[AsyncSession]) -> Visitor:
    return await recognise(request, session)


async def _form(request: Request[Any, Any, Any]) -> FormData:
    return await submitted(request)


def _given(value: object) -> Provide:
    def give() -> Any:
        return value

    return Provide(give, sync_to_thread=False)


def _life(
    hub: EventHub, database: Database | None, redis: Redis | None
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """From the first request to the last: the hub listens; what is ours to close is closed."""

    @asynccontextmanager
    async def life(_app: Litestar) -> AsyncIterator[None]:
        await hub.start()
        try:
            yield
        finally:
            await hub.stop()
            if database is not None:
                await database.close()
            if redis is not None:
                await redis.aclose()
                await redis.connection_pool.disconnect()

    return life
