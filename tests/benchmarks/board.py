"""How fast the board is among a million jobs: each of its pages, whole, over HTTP, one after the other.

`python -m tests.benchmarks.board [--jobs 1000000] [--rounds 40]` fills a database of its own, asks one web process for
every page, first while nothing else happens and then while 50 jobs a second change, and writes docs/benchmarks-board.md.
"""

import argparse
import asyncio
import atexit
import itertools
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

import asyncpg

from models.accounts import sessions
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from tests.benchmarks.page import QUIET
from tests.benchmarks.webhooks import Line, percentile, web_process
from tests.benchmarks.week_of_jobs import DEAD, make

OUT: Final = Path(__file__).parents[2] / "docs" / "benchmarks-board.md"
Get = Callable[[str], Awaitable[int]]
AIM_MS: Final = 50
CHANGES: Final = 50
WARM_UP: Final = 3
BOARD: Final = "/admin/queues"
#: What a page is called, and its address; the ids are of rows that are there.
PAGES: Final = {
    "overview": "",
    "a queue, last hour": "/orders",
    "a queue, 24 hours": "/orders?span=day",
    "a queue, 7 days": "/orders?span=week",
    "jobs": "/jobs",
    "jobs, page of the oldest": "/jobs?sort=oldest",
    "jobs, longest first": "/jobs?sort=longest",
    "jobs, dead": "/jobs?q=state:dead",
    "jobs, waiting": "/jobs?q=state:waiting",
    "jobs, done": "/jobs?q=state:completed",
    "jobs of a kind": "/jobs?q=kind:orders.integrate_backlink",
    "jobs of a queue that wait": "/jobs?q=state:waiting+queue:orders",
    "jobs, an error's words": "/jobs?q=error:cause",
    "jobs, an argument": "/jobs?q=args.order_id:{order}",
    "jobs, free words": "/jobs?q=host77",
    "jobs, words of no job": "/jobs?q=no-such-words",
    "jobs of an order": "/jobs?q=subject:{subject}",
    "a job by its id": "/jobs?q={done}",
    "a job, done": "/jobs/{done}",
    "a job, dead": "/jobs/{dead}",
    "a job of bulk actions": "/jobs/{met}",
    "a job, waiting": "/jobs/{waiting}",
    "a job of a flow": "/jobs/{member}",
    "flows": "/flows",
    "a flow": "/flows/{flow}",
    "kinds, last hour": "/kinds",
    "kinds, 7 days": "/kinds?span=week",
    "errors": "/errors",
    "workers": "/workers",
    "schedules": "/schedules",
    "limits": "/limits",
    "unknown outcomes": "/effects",
    "alerts": "/alerts",
    "bulk actions": "/bulk",
}
_NAMED: Final = """
    select (select id from jobs where state = 'completed' order by id desc limit 1) as done,
           (select id from jobs where state = 'dead' order by id desc limit 1) as dead,
           (select id from jobs where state = 'dead' order by id limit 1) as met,
           (select id from jobs where state = 'waiting' and blocked_by is null order by rank_at desc limit 1) as waiting,
           (select id from jobs where flow_id is not null order by id desc limit 1) as member,
           (select id from job_flows order by id desc limit 1) as flow,
           (select args ->> 'order_id' from jobs order by id desc limit 1) as "order",
           (select subject from jobs order by id desc limit 1) as subject
"""
#: What the slowest pages wait for.
_NOTES: Final = """\
Free words are looked for in 5,000 jobs at a time, one by one."""
_CHANGE: Final = """
    update jobs set state = 'completed', started_at = now(), finished_at = now()
     where id = (select id from jobs where state = 'waiting' and blocked_by is null and queue = 'orders' order by rank_at limit 1)
"""


async def measure(origin: str, database: str, rounds: int) -> list[dict[str, list[float]]]:
    """Milliseconds by page: while nothing else happens, and while jobs change."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        [named] = await connection.fetch(_NAMED)
        pages = {name: BOARD + path.format(**named) for name, path in PAGES.items()}
        async with _admin(origin, database) as get:
            await ask(get, pages, WARM_UP)
            alone = await ask(get, pages, rounds)
            async with _changing(connection):
                return [alone, await ask(get, pages, rounds)]
    finally:
        await connection.close()


async def ask(get: Get, pages: Mapping[str, str], rounds: int) -> dict[str, list[float]]:
    """Ask for each page in turn, so many times. Milliseconds by page."""
    took: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, path in pages.items():
            began = time.perf_counter()
            status = await get(path)
            took[name].append((time.perf_counter() - began) * 1000)
            if status != HTTPStatus.OK:
                raise RuntimeError(f"{path} answered {status}")
    return took


@asynccontextmanager
async def _admin(origin: str, url: str) -> AsyncIterator[Get]:
    """How an admin, who sees most, asks for a page: the status of the answer, which is read to its end."""
    database = Database(url, pool_size=1)
    async with database.transaction() as session:
        person = Person(email="admin@example.com", role=Role.ADMIN)
        session.add(person)
        await session.flush()
        _, token = await sessions.start(session, person, method="code", user_agent="", ip="", at=now())
    await database.close()
    host, port = origin.removeprefix("http://").split(":")
    transport, line = await asyncio.get_running_loop().create_connection(Line, host, int(port))
    head = (
        f"HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: gzip\r\nCookie: galley_session={token}\r\n\r\n"
    )

    def get(path: str) -> Awaitable[int]:
        return line.send(f"GET {path} {head}".encode())

    yield get
    transport.close()


@asynccontextmanager
async def _changing(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """While this lasts, `CHANGES` jobs a second are done, each by a commit of its own."""

    async def change() -> None:
        began = time.monotonic()
        for number in itertools.count(1):
            await connection.execute(_CHANGE)
            await asyncio.sleep(max(0.0, began + number / CHANGES - time.monotonic()))

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def table(jobs: int, rounds: int, load: float, found: Sequence[Mapping[str, list[float]]]) -> str:
    """The page that is written. `load` is the machine's when it began."""
    lines = [
        f"# The board among {jobs:,} jobs",
        "",
        f"Written by `python -m tests.benchmarks.board` on {os.cpu_count()} cores ({platform.machine()}, Python",
        f"{platform.python_version()}), with one web process and the embedded PostgreSQL: whole pages over HTTP, as an",
        f"admin sees them, {rounds} times one after the other. A tenth of the jobs wait, a quarter of those for a limit;",
        f"{DEAD / 1000:.1%} are dead; the counts of a week are there. First nothing else happens, then {CHANGES} jobs a second",
        f"are done. The aim is a p95 below {AIM_MS} ms.",
        "",
        *(
            [f"**The machine was busy: its load was {load:.1f}.**", ""]
            if load > QUIET * (os.cpu_count() or 1)
            else []
        ),
        f"| page | p50, ms | p95, ms | {CHANGES} changes a second: p50, ms | p95, ms |",
        "|---|---|---|---|---|",
    ]
    for name in PAGES:
        cells = (
            f"{value:.0f}"
            for took in found
            for value in (statistics.median(took[name]), percentile(took[name], 0.95))
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", _NOTES, ""])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="galley-board-"))
    folder.chmod(0o755)
    # Registered first, so it is done last: the embedded servers touch their folder until the process ends.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with web_process(folder) as (origin, database):
        asyncio.run(make(database, options.jobs))
        found = asyncio.run(measure(origin, database, options.rounds))
    page = table(options.jobs, options.rounds, load, found)
    OUT.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
