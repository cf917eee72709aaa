"""Who is measured: what each promises, how it is installed, and how its programs are started."""

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "benchmarks"
HERE = "tests.benchmarks"
SLOTS = "100"


class Missing(Exception):
    """A contender is not here, and why."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to run jobs."""

    name: str
    #: The module of its asking side; for BullMQ a file.
    module: str
    promise: str
    #: What its worker is started with, after its Python or Node.
    worker: tuple[str, ...]
    #: What is installed for it, in an environment of its own. Galley and what it is built on have none.
    packages: tuple[str, ...] = ()
    is_node: bool = False
    #: Its jobs are kept in Redis, not in PostgreSQL.
    in_redis: bool = False
    #: Makes its own tables before it is asked.
    keeps_tables: bool = False
    #: Other programs of it that must run for a recovery.
    beside: tuple[str, ...] = ()
    #: How many jobs are asked for in bulk: enough to be measured, few enough to be drained in a while.
    jobs: int = 4000
    #: How many of them go together.
    batch: int = 200

    @property
    def is_ours(self) -> bool:
        """Whether it is Galley: its tables are migrated."""
        return self is CONTENDERS[0]

    @property
    def folder(self) -> Path:
        """Its environment."""
        return CACHE / self.name.lower()

    def install(self) -> None:
        """Bring what it needs into its folder; raises `Missing`."""
        if not self.packages or (self.folder / "complete").exists():
            return
        if self.is_node and not shutil.which("npm"):
            raise Missing("npm is not installed")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.is_node:
            command = ["npm", "install", "--silent", "--prefix", str(self.folder), *self.packages]
        else:
            venv.create(self.folder, with_pip=True)
            command = [self._python(), "-m", "pip", "install", "--quiet", *self.packages]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"it cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        (self.folder / "complete").touch()

    def check(self) -> None:
        """Raise `Missing` if it cannot be measured here."""
        if self.packages and not (self.folder / "complete").exists():
            raise Missing("it is not installed: run with --install")
        if self.is_node and not shutil.which("node"):
            raise Missing("node is not installed")

    def client(self, deed: str, *numbers: object) -> list[str]:
        """The command that asks."""
        arguments = [deed, *map(str, numbers)]
        if self.is_node:
            return ["node", str(ROOT / self.module), *arguments]
        return [self._python(), "-m", f"{HERE}.client", self.module, *arguments]

    def command(self) -> list[str]:
        """The command of its worker."""
        if self.is_node:
            return ["node", str(ROOT / self.module), *self.worker]
        return [self._python(), *self.worker]

    def environment(self, database_url: str, redis_url: str, record: Path) -> dict[str, str]:
        """What its programs are told."""
        return os.environ | {
            "ENVIRONMENT": "test",
            "SECRET_KEY": "a secret of the benchmarks, long enough",
            "STRIPE_SECRET_KEY": "sk_test_of_the_benchmarks",
            "LOG_LEVEL": "error",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BENCH_RECORD": str(record),
            "BENCH_MODULES": str(self.folder),
            "PYTHONPATH": str(ROOT),
        }

    def version(self) -> str:
        """What was measured."""
        if not self.packages:
            return ""
        package = self.packages[0].partition("[")[0].partition("=")[0].partition("@")[0]
        if self.is_node:
            found = json.loads((self.folder / "node_modules" / package / "package.json").read_text())
            return str(found["version"])
        ask = f"import importlib.metadata as m; print(m.version({package!r}))"
        return subprocess.check_output([self._python(), "-c", ask], text=True).strip()

    def _python(self) -> str:
        return str(self.folder / "bin" / "python") if self.packages else sys.executable


def _worker(*arguments: str) -> tuple[str, ...]:
    return ("-m", *arguments)


CONTENDERS = (
    Contender(
        "Galley",
        f"{HERE}.peers.galley",
        "committed with the caller's transaction; a dead worker's jobs go back when its heart has stopped, "
        "and what it writes late is refused",
        _worker(f"{HERE}.peers.galley"),
        beside=("tasks.dispatcher",),
        jobs=10_000,
        batch=1000,
    ),
    Contender(
        "BullMQ",
        f"{HERE.replace('.', '/')}/peers/bullmq.mjs",
        "in Redis, synced to the disk each second; a dead worker's jobs come back by a lock of 30 s",
        ("worker",),
        packages=("bullmq@6.7.0", "ioredis@6.0.0"),
        is_node=True,
        in_redis=True,
        jobs=10_000,
    ),
    Contender(
        "PgQueuer",
        f"{HERE}.peers.pgqueuer_stock",
        "a committed row; a dead worker's jobs come back by a heartbeat of 30 s",
        _worker(f"{HERE}.peers.pgqueuer_stock"),
        packages=("pgqueuer[asyncpg]==1.6.0", "uvloop"),
        keeps_tables=True,
        jobs=10_000,
        batch=1000,
    ),
    Contender(
        "Procrastinate",
        f"{HERE}.peers.procrastinate_stock",
        "a committed row; a dead worker's jobs stay where they are until somebody retries them",
        _worker(
            "procrastinate",
            "-a",
            f"{HERE}.peers.procrastinate_stock.app",
            "worker",
            "-c",
            SLOTS,
            "-q",
            "bench",
        ),
        packages=("procrastinate==3.10.0", "psycopg[binary]"),
        keeps_tables=True,
        jobs=1000,
        batch=1000,
    ),
    Contender(
        "Taskiq",
        f"{HERE}.peers.taskiq_stock",
        "in Redis; a dead worker's jobs come back after 10 minutes, and only if new ones arrive",
        _worker(
            "taskiq",
            "worker",
            f"{HERE}.peers.taskiq_stock:broker",
            "--workers",
            "1",
            "--max-async-tasks",
            SLOTS,
            "--log-level",
            "WARNING",
        ),
        in_redis=True,
    ),
    Contender(
        "Celery",
        f"{HERE}.peers.celery_stock",
        "in Redis, acknowledged when it begins: what a dead worker was running is lost",
        _worker(
            "celery",
            "-A",
            f"{HERE}.peers.celery_stock:app",
            "worker",
            "--pool",
            "threads",
            "--concurrency",
            "20",
            "--loglevel",
            "ERROR",
            "--without-gossip",
            "--without-mingle",
        ),
        packages=("celery[redis]==5.7.0", "hiredis"),
        in_redis=True,
        jobs=2000,
    ),
    Contender(
        "Bare loop",
        f"{HERE}.peers.bare",
        "a committed row, asyncpg and nothing else: the floor on PostgreSQL; what a dead worker was running is lost",
        _worker(f"{HERE}.peers.bare"),
        keeps_tables=True,
        jobs=10_000,
        batch=1000,
    ),
)
