"""Whether this process lives, and whether it can serve: for load balancers and people, without a session."""

import asyncio
from typing import Any, Final

from litestar import Request, Response, get
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.base.db import Database
from web.live import EventHub

WITHIN: Final = 0.5


@get("/health/live")
async def live() -> dict[str, str]:
    """The process answers. Whether anything else does is not its question: restarting would not help."""
    return {"status": "ok"}


@get("/health/started")
async def started(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """503 until the database has answered this process once, 200 ever after: for whoever replaces what is not well.

    So a new version that cannot reach its database never takes over, and no process is ended because PostgreSQL is away
    for minutes: a new one could do no more, and this one shows a page of ours meanwhile.
    """
    state = request.app.state
    if state.get("has_started") or await _database(state.database) == "ok":
        state.has_started = True
        return Response({"status": "ok"})
    return Response({"status": "starting"}, status_code=503)


@get("/health/ready")
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """200 `ok`; 200 `degraded` without Redis, since pages come from PostgreSQL; 503 without that, or when leaving."""
    hub: EventHub = request.app.state.hub
    database, redis = await asyncio.gather(
        _database(request.app.state.database), _redis(request.app.state.redis)
    )
    status = (
        "draining"
        if hub.is_draining
        else "down"
        if database != "ok"
        else "ok"
        if redis == "ok"
        else "degraded"
    )
    return Response(
        {"status": status, "database": database, "redis": redis},
        status_code=503 if status in {"draining", "down"} else 200,
    )


async def _database(database: Database) -> str:
    try:
        async with asyncio.timeout(WITHIN), database.transaction() as session:
            await session.execute(text("select 1"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return "down"
    return "ok"


async def _redis(redis: Redis) -> str:
    try:
        async with asyncio.timeout(WITHIN):
            await redis.echo("ready")
    except (RedisError, OSError, TimeoutError):
        return "down"
    return "ok"


handlers = [live, started, ready]
