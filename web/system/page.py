"""How everything stands, on one page: each part good, worth a look or bad, and where somebody sees to it."""

import asyncio
import os
import socket
from datetime import timedelta
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from redis.asyncio import Redis

from models.base.clock import now
from models.everything import SCHEDULES
from models.jobs import board, fleet
from models.jobs.alerts import alerts
from models.migrations import newest_revision
from models.system import (
    connected_processes,
    database_facts,
    largest_tables,
    late_schedules,
    outside_facts,
)
from models.usage.queries import spent_cents
from web.guards import admin
from web.pages import page
from web.params import Config, Transaction, Who
from web.system import lines
from web.system.asking import ask_folder, ask_redis
from web.system.lines import Standing

#: This module is read when its process starts.
STARTED_AT: Final = now()
HOST: Final = f"{socket.gethostname()} (process {os.getpid()})"
NEWEST: Final = newest_revision()
DECISIONS_SHOWN: Final = 3


@get("/admin/system", guards=[admin])
async def system(
    session: Transaction, visitor: Who, settings: Config, redis: NamedDependency[Redis]
) -> Response[None]:
    """Every part of the installation. What does not answer is said to be away."""
    at = now()
    news, folder = await asyncio.gather(ask_redis(redis), ask_folder(settings.files.folder))
    facts = await database_facts(session)
    outside = await outside_facts(session, at)
    spent = await spent_cents(session, since=at.replace(hour=0, minute=0, second=0, microsecond=0))
    workers = await board.workers(session, timedelta(seconds=settings.jobs.lease_seconds))
    parts = {
        "Processes": [
            lines.web(settings.collectors.release, HOST, STARTED_AT, at),
            lines.workers(workers, at),
            lines.dispatcher(facts, at),
            lines.schedules(await late_schedules(session, SCHEDULES, at)),
            lines.alarms(await alerts(session)),
        ],
        "What keeps things": [
            *lines.database(facts, await connected_processes(session)),
            lines.revision(facts.revision, NEWEST),
            lines.transactions(facts, at),
            lines.redis(news),
            lines.files(settings.files, folder),
        ],
        "The world outside": [
            lines.mail(settings.mail, outside, at),
            lines.stripe(settings, outside, at),
            lines.language_models(settings.llm, spent),
        ],
    }
    standings = [one.standing for part in parts.values() for one in part]
    return page(
        "system/system.html",
        visitor=visitor,
        parts=parts,
        bad=standings.count(Standing.BAD),
        look=standings.count(Standing.LOOK),
        tables=await largest_tables(session),
        is_scaled=settings.scaling.scaling_backend != "none",
        decisions=await fleet.decisions(session, DECISIONS_SHOWN),
    )
