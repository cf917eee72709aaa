"""The job engine beside what one would pick instead, in one run; then beside itself, with ever more rows.

`python -m tests.benchmarks.jobs [--rounds 3] [--install] [--only Galley,BullMQ]` writes docs/benchmarks.md. Each round
measures every contender once, in turn, on one PostgreSQL that syncs each commit to the disk and one Redis with an
append-only file that is synced each second. `--install` brings the others into build/benchmarks by pip and npm.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
from redis.asyncio import Redis

from tests.benchmarks.contenders import CONTENDERS, Contender, Missing
from tests.benchmarks.page import Figures, Growth, write
from tests.reliability.servers import TEMPLATE, Servers, servers

ASKING_SECONDS = 2.0
DRAINING_SECONDS = 6.0
WARM_UP = 10
STEADY_JOBS = 200
IDLE_SECONDS = 10
SLOW_JOBS = 12
KILL_PATIENCE = 75.0
#: (finished, waiting) rows; all of them are there when so many jobs are drained.
GROWTH = ((0, 1_000), (0, 10_000), (0, 100_000), (0, 1_000_000), (1_000_000, 100_000))
GROWTH_DRAINED = 10_000

_NUMBERS = itertools.count(1)


class Bench:
    """The servers, and one contender's programs on them."""

    def __init__(self, both: Servers, contender: Contender) -> None:
        self.servers = both
        self.contender = contender
        self.database = f"bench_{next(_NUMBERS)}"
        self.record = both.folder / self.database
        # Each in a database of its own there too: two of them call a key "bench".
        redis_url = both.redis.url.removesuffix("0") + str(CONTENDERS.index(contender))
        self.environment = contender.environment(both.url_of(self.database), redis_url, self.record)

    async def begin(self) -> None:
        """An empty database, an empty Redis, an empty record."""
        self.record.touch()
        template = f' template "{TEMPLATE}"' if self.contender.is_ours else ""
        await self.servers.run(f'create database "{self.database}"{template}')
        redis = Redis.from_url(self.environment["REDIS_URL"])
        await redis.flushdb()
        await redis.aclose()
        if self.contender.keeps_tables:
            self.ask("prepare")

    def ask(self, deed: str, *numbers: object) -> float:
        """Run the asking side; what it says in the end."""
        command = self.contender.client(deed, *numbers)
        asked = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if asked.returncode:
            raise RuntimeError(f"{self.contender.name} could not be asked: {asked.stderr[-2000:]}")
        return float(asked.stdout.split()[-1]) if asked.stdout.strip() else 0.0

    @contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program, its worker if none is named, and all that it starts."""
        with (self.servers.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                command or self.contender.command(),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill(process)

    def marks(self, mark: str = "begun") -> list[tuple[int, int]]:
        """(asked, when) of each mark in the record, in nanoseconds, by time."""
        rows = (line.split() for line in self.record.read_text().splitlines())
        return sorted(((int(one), int(at)) for one, at, what in rows if what == mark), key=lambda row: row[1])

    def wait(self, count: int, seconds: float, mark: str = "begun") -> bool:
        """Wait until there are so many marks. Says whether they came."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.record.read_bytes().count(mark.encode()) >= count:
                return True
            time.sleep(0.02)
        return False


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 a program and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def rate_of(times: Sequence[int]) -> float:
    """Starts a second, without the first tenth, in which a worker warms up."""
    steady = times[len(times) // 10 :]
    return (len(steady) - 1) / ((steady[-1] - steady[0]) / 1e9)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A worker and its children."""
    whole = psutil.Process(process.pid)
    return [whole, *whole.children(recursive=True)]


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """What a worker and its children hold, in MB."""
    return float(sum(one.memory_info().rss for one in family(process))) / 1e6


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """How long a worker and its children have computed."""
    times = (one.cpu_times() for one in family(process))
    return float(sum(one.user + one.system for one in times))


async def begun(both: Servers, contender: Contender) -> Bench:
    """A bench for one measurement."""
    bench = Bench(both, contender)
    await bench.begin()
    return bench


async def synced(bench: Bench) -> float:
    """How fast one is asked after the other while Redis syncs before each answer, as PostgreSQL does."""
    redis = Redis.from_url(bench.environment["REDIS_URL"])
    await redis.config_set("appendfsync", "always")
    try:
        return bench.ask("one_by_one", ASKING_SECONDS)
    finally:
        await redis.config_set("appendfsync", "everysec")
        await redis.aclose()


async def measure(both: Servers, figures: Figures) -> None:
    """One round of one contender: asked one by one, in bulk, drained; then steadily, of an idle worker."""
    contender = figures.contender
    bench = await begun(both, contender)
    figures.one_by_one.append(bench.ask("one_by_one", ASKING_SECONDS))
    figures.synced.append(await synced(bench) if contender.in_redis else figures.one_by_one[-1])
    bench = await begun(both, contender)
    figures.in_bulk.append(bench.ask("in_bulk", contender.jobs, contender.batch))
    with bench.running():
        bench.wait(1, 30)
        bench.wait(contender.jobs, DRAINING_SECONDS)
        figures.drained.append(rate_of([at for _, at in bench.marks()]))
    bench = await begun(both, contender)
    with bench.running() as worker:
        bench.ask("steadily", WARM_UP)
        bench.wait(WARM_UP, 30)
        figures.idle_mb.append(memory_mb(worker))
        computed = cpu_seconds(worker)
        await asyncio.sleep(IDLE_SECONDS)
        figures.idle_cpu.append((cpu_seconds(worker) - computed) / IDLE_SECONDS * 100)
        bench.ask("steadily", STEADY_JOBS)
        bench.wait(WARM_UP + STEADY_JOBS, 10)
        answered = dict(bench.marks("answered"))
        steady = bench.marks()[WARM_UP:]
        waits = sorted((at - asked) / 1e6 for asked, at in steady)
    figures.p50.append(statistics.median(waits))
    figures.p99.append(waits[int(len(waits) * 0.99) - 1])
    figures.after_answer.append(statistics.median((at - answered[asked]) / 1e6 for asked, at in steady))
    print(f"{contender.name}: drained {figures.drained[-1]:,.0f}/s, p50 {figures.p50[-1]:.1f} ms", flush=True)


def kill_and_recover(bench: Bench, figures: Figures) -> None:
    """Twelve jobs of 1.5 s; the worker is killed 0.7 s after the first began, and another is started at once."""
    bench.ask("slow_ones", SLOW_JOBS)
    with contextlib.ExitStack() as stack:
        for helper in bench.contender.beside:
            stack.enter_context(bench.running(sys.executable, "-m", helper))
        with bench.running():
            bench.wait(1, 30)
            time.sleep(0.7)
        killed_at = time.monotonic()
        stack.enter_context(bench.running())
        while time.monotonic() < killed_at + KILL_PATIENCE:
            if len({asked for asked, _ in bench.marks("ended")}) == SLOW_JOBS:
                figures.recovery = time.monotonic() - killed_at
                break
            time.sleep(0.1)
    print(f"{bench.contender.name}: all done {figures.recovery} s after the kill", flush=True)


_FILL = """
insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, max_attempts, finished_at)
select uuidv7(), 'bench.noop', 'bench', jsonb_build_object('asked_ns', 0, 'padding', repeat('x', 220)),
       '{state}', 5, now() + number * interval '1 microsecond', now(), 3, {finished_at}
  from generate_series(1, {rows}) number
"""


async def grow(both: Servers, finished: int, waiting: int) -> Growth:
    """Fill the table, ask one by one, and drain some."""
    bench = await begun(both, CONTENDERS[0])
    for rows, state, at in ((finished, "completed", "now()"), (waiting, "waiting", "null")):
        await both.run(_FILL.format(rows=rows, state=state, finished_at=at), bench.database)
    # What the filling leaves to be done would be done beside what is measured.
    await both.run("vacuum analyze jobs", bench.database)
    await both.run("checkpoint", bench.database)
    size = await both.run("select pg_total_relation_size('jobs')", bench.database)
    one_by_one = bench.ask("one_by_one", ASKING_SECONDS)
    count = min(waiting, GROWTH_DRAINED)
    with bench.running():
        bench.wait(count, 60)
        drained = rate_of([at for _, at in bench.marks()][:count])
    await both.run(f'drop database "{bench.database}" with (force)')
    growth = Growth(finished, waiting, one_by_one, drained, size / 1e6)
    print(growth, flush=True)
    return growth


async def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.jobs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--install", action="store_true", help="bring the others into build/benchmarks first")
    parser.add_argument("--only", default=",".join(one.name for one in CONTENDERS))
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results: list[Figures] = []
    skipped: dict[str, str] = {}
    for contender in CONTENDERS:
        if contender.name in options.only.split(","):
            try:
                if options.install:
                    contender.install()
                contender.check()
                results.append(Figures(contender))
            except Missing as reason:
                skipped[contender.name] = str(reason)
                print(f"{contender.name} is skipped: {reason}")
    async with servers() as both:
        for _ in range(options.rounds):
            for figures in results:
                await measure(both, figures)
        benches = [(await begun(both, figures.contender), figures) for figures in results]
        # They mostly sleep and wait, so all of them at once.
        await asyncio.gather(*(asyncio.to_thread(kill_and_recover, *one) for one in benches))
        growth = [await grow(both, *rows) for rows in GROWTH]
    write(results, growth, skipped, rounds=options.rounds, load=load)


if __name__ == "__main__":
    asyncio.run(main())
