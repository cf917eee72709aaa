"""Enqueue, drain and start latency of the job engine beside stock taskiq, in one run.

`python -m tests.benchmarks.jobs [--rounds 3] [--jobs 5000]` writes docs/benchmarks.md. Each round measures
every contender once, in turn, on the same PostgreSQL (fsync on) and the same Redis (append-only file, fsync
every second); the table has the medians, and ratios within the run. What each contender promises is not the
same, and the table says so.
"""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from infra.local.embedded import EmbeddedPostgres, EmbeddedRedis
from models.base.db import Database
from models.base.news import Herald, connect
from models.jobs import Wish, enqueue, enqueue_all
from models.migrations import migrate
from tests.benchmarks.ours import Noop
from tests.benchmarks.record import PADDING
from tests.benchmarks.stock import build

SLOTS = 100
BULK = 500
RATE = 50
LATENCY_JOBS = 250
OUT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@dataclass
class Figures:
    """One contender's measurements, a list entry per round."""

    promise: str
    enqueue: list[float] = field(default_factory=list)
    bulk: list[float] = field(default_factory=list)
    drain: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)


@dataclass
class Bench:
    """The servers and the scratch folder of one run."""

    folder: Path
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    jobs: int

    @property
    def environment(self) -> dict[str, str]:
        """What worker processes are started with."""
        return os.environ | {
            "ENVIRONMENT": "test",
            "SECRET_KEY": "b" * 40,
            "STRIPE_SECRET_KEY": "sk_test_bench",
            "DATABASE_URL": self.url,
            "REDIS_URL": self.redis.url,
            "LOG_LEVEL": "error",
        }

    @property
    def url(self) -> str:
        """The database that our jobs are in."""
        return self.postgres.database("bench")

    @contextmanager
    def worker(self, command: list[str], expected: int, **environment: str) -> Iterator[Path]:
        """A worker process that records into the file that is given."""
        record = self.folder / f"record-{time.monotonic_ns()}"
        more = {"BENCH_RECORD": str(record), "BENCH_EXPECTED": str(expected)} | environment
        process = subprocess.Popen(command, env=self.environment | more, stderr=subprocess.DEVNULL)
        try:
            yield record
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def starts(record: Path) -> list[tuple[int, int]]:
    """(asked, started) of every job in a worker's record, in nanoseconds."""
    return sorted(
        (int(asked), int(began))
        for asked, began in (line.split() for line in record.read_text().splitlines())
    )


async def appears(record: Path, within: float = 180) -> None:
    """Wait until a worker has written its record."""
    async with asyncio.timeout(within):
        while not record.exists():  # noqa: ASYNC240 - a local stat
            await asyncio.sleep(0.02)


def latencies(record: Path) -> tuple[float, float]:
    """Median and 99th percentile of asked-to-started, in milliseconds."""
    waits = sorted((began - asked) / 1e6 for asked, began in starts(record) if asked)
    return statistics.median(waits), waits[int(len(waits) * 0.99) - 1]


class Ours:
    """Galley: a row per job in PostgreSQL, committed before it counts."""

    name = "Galley, one worker process"
    promise = "committed with the caller's transaction; survives kill -9, FLUSHALL and a restart"

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Database]:
        redis = connect(self.bench.redis.url)
        database = Database(self.bench.url, pool_size=2, tell=Herald(redis).tell)
        yield database
        await database.close()
        await redis.aclose()

    async def empty(self) -> None:
        connection = await asyncpg.connect(self.bench.url)
        await connection.execute("truncate jobs, job_workers cascade")
        await connection.execute("vacuum analyze jobs")
        await connection.close()

    async def enqueue(self, count: int) -> float:
        async with self.open() as database:
            began = time.monotonic()
            for _ in range(count):
                async with database.transaction() as session:
                    await enqueue(session, Noop(asked_ns=time.monotonic_ns(), padding=PADDING))
            return count / (time.monotonic() - began)

    async def bulk(self, count: int) -> float:
        async with self.open() as database:
            began = time.monotonic()
            for _ in range(count // BULK):
                async with database.transaction() as session:
                    await enqueue_all(
                        session,
                        (Wish(Noop(asked_ns=time.monotonic_ns(), padding=PADDING)) for _ in range(BULK)),
                    )
            return count / (time.monotonic() - began)

    async def drain(self, count: int) -> float:
        with self.bench.worker([sys.executable, "-m", "tests.benchmarks.ours", str(SLOTS)], count):
            connection = await asyncpg.connect(self.bench.url)
            async with asyncio.timeout(180):
                while await connection.fetchval("select count(*) from jobs where state <> 'completed'"):
                    await asyncio.sleep(0.2)
            seconds = await connection.fetchval(
                "select extract(epoch from max(finished_at) - min(started_at)) from jobs"
            )
            await connection.close()
        return count / float(seconds)

    async def latency(self) -> tuple[float, float]:
        with self.bench.worker(
            [sys.executable, "-m", "tests.benchmarks.ours", str(SLOTS)], LATENCY_JOBS + 1
        ) as record:
            async with self.open() as database:
                async with database.transaction() as session:
                    await enqueue(session, Noop(asked_ns=0, padding=PADDING))
                await appears(record.with_name(f"{record.name}.first"))
                for _ in range(LATENCY_JOBS):
                    async with database.transaction() as session:
                        # Asked for when the commit begins is what a page can know; the commit itself is counted.
                        await enqueue(session, Noop(asked_ns=time.monotonic_ns(), padding=PADDING))
                    await asyncio.sleep(1 / RATE)
            await appears(record)
        return latencies(record)


class Stock:
    """Stock taskiq on Redis."""

    def __init__(self, bench: Bench, kind: str) -> None:
        self.bench = bench
        self.kind = kind
        self.name = f"taskiq, {'RedisStreamBroker' if kind == 'stream' else 'ListQueueBroker'}"
        self.promise = (
            "in Redis; a dead worker's jobs come back after 10 minutes, if new ones arrive"
            if kind == "stream"
            else "in Redis; what a dead worker was running is lost"
        )
        self.environment = {"BENCH_STOCK": kind}

    def command(self) -> list[str]:
        options = ["--workers", "1", "--max-async-tasks", str(SLOTS), "--log-level", "WARNING"]
        return [sys.executable, "-m", "taskiq", "worker", "tests.benchmarks.stock:broker", *options]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        broker, noop = build(self.kind, self.bench.redis.url)
        await broker.startup()
        yield noop
        await broker.shutdown()

    async def empty(self) -> None:
        redis = Redis.from_url(self.bench.redis.url)
        await redis.flushall()
        await redis.aclose()

    async def enqueue(self, count: int) -> float:
        async with self.open() as noop:
            began = time.monotonic()
            for _ in range(count):
                await noop.kiq(time.monotonic_ns(), PADDING)
            return count / (time.monotonic() - began)

    async def bulk(self, count: int) -> float:
        async with self.open() as noop:
            began = time.monotonic()
            for _ in range(count // BULK):
                asks = (noop.kiq(time.monotonic_ns(), PADDING) for _ in range(BULK))
                await asyncio.gather(*asks)
            return count / (time.monotonic() - began)

    async def drain(self, count: int) -> float:
        with self.bench.worker(self.command(), count, **self.environment) as record:
            await appears(record)
        began = [one for _, one in starts(record)]
        return count / ((max(began) - min(began)) / 1e9)

    async def latency(self) -> tuple[float, float]:
        with self.bench.worker(self.command(), LATENCY_JOBS + 1, **self.environment) as record:
            async with self.open() as noop:
                await noop.kiq(0, PADDING)
                await appears(record.with_name(f"{record.name}.first"))
                for _ in range(LATENCY_JOBS):
                    await noop.kiq(time.monotonic_ns(), PADDING)
                    await asyncio.sleep(1 / RATE)
            await appears(record)
        return latencies(record)


async def measure(contender: Ours | Stock, figures: Figures, jobs: int) -> None:
    """One round of one contender: ask one by one, ask in bulk, drain all of it, then latency."""
    await contender.empty()
    figures.enqueue.append(await contender.enqueue(jobs // 5))
    figures.bulk.append(await contender.bulk(jobs))
    figures.drain.append(await contender.drain(jobs // 5 + jobs // BULK * BULK))
    await contender.empty()
    p50, p99 = await contender.latency()
    figures.p50.append(p50)
    figures.p99.append(p99)
    print(f"{contender.name}: drain {figures.drain[-1]:,.0f}/s, p50 {p50:.1f} ms")


def table(results: dict[str, Figures], rounds: int, jobs: int) -> str:
    """The page that is written."""
    ours, *others = results.values()
    middle = statistics.median
    lines = [
        "# Benchmarks",
        "",
        f"Written by `python -m tests.benchmarks.jobs --rounds {rounds} --jobs {jobs}`: medians of {rounds} rounds in",
        f"one run on {os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()}), the contenders in turn.",
        "The job does nothing and carries about 300 bytes; a worker is one process with",
        f"{SLOTS} slots. PostgreSQL syncs every commit to disk; Redis keeps an append-only file and syncs it every second.",
        "",
        "| contender | what it promises | asked one by one, jobs/s | in bulk | drained | start p50, ms | start p99, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in results.items():
        rates = " | ".join(f"{middle(values):,.0f}" for values in (one.enqueue, one.bulk, one.drain))
        lines.append(f"| {name} | {one.promise} | {rates} | {middle(one.p50):.1f} | {middle(one.p99):.1f} |")
    lines += ["", "Galley's figure divided by the other's (for times, smaller is better):", ""]
    for name, one in list(results.items())[1:]:
        pairs = [
            (getattr(ours, what), getattr(one, what)) for what in ("enqueue", "bulk", "drain", "p50", "p99")
        ]
        ratios = [
            statistics.median(a / b for a, b in zip(mine, theirs, strict=True)) for mine, theirs in pairs
        ]
        words = ("one by one", "in bulk", "drained", "start p50", "start p99")
        lines.append(
            f"- beside {name}: "
            + ", ".join(f"{word} {ratio:.2f}" for word, ratio in zip(words, ratios, strict=True))
        )
    lines += [
        "",
        "Asking one by one is a committed transaction for Galley and a command without a sync for the others: the price of",
        "the promise in the second column. Latency runs from just before the commit, or the command, to the first line of",
        f"the job, at {RATE} jobs a second.",
        "",
    ]
    assert others
    return "\n".join(lines)


def write(page: str) -> None:
    """Put the page where the docs are, and on the screen."""
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(page)
    print(page)


async def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=5000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="galley-bench-"))
    os.chmod(folder, 0o755)  # noqa: PTH101 - PostgreSQL runs as another user
    postgres = EmbeddedPostgres(folder / "postgres", {"synchronous_commit": "on", "fsync": "on"})
    redis = EmbeddedRedis(folder / "redis")
    bench = Bench(folder, postgres, redis, options.jobs)
    try:
        await asyncio.to_thread(migrate, bench.url)
        contenders: list[Ours | Stock] = [Ours(bench), Stock(bench, "stream"), Stock(bench, "list")]
        results = {one.name: Figures(one.promise) for one in contenders}
        for _ in range(options.rounds):
            for contender in contenders:
                await measure(contender, results[contender.name], options.jobs)
        write(table(results, options.rounds, options.jobs))
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
