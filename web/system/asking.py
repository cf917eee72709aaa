"""What Redis and the folder of files say of themselves. Neither is waited for: the page is most wanted when one is away."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

#: For each of them.
WITHIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """Redis or Valkey by its own INFO. Sizes are in bytes; a `memory_allowed` of 0 is no limit."""

    version: str
    memory: int
    memory_allowed: int
    policy: str
    evicted: int
    keeps_log: bool
    is_snapshot_ok: bool


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The folder that files lie in, and the disk below it, in bytes."""

    exists: bool
    is_writable: bool
    free: int
    total: int


async def ask_redis(redis: Redis) -> RedisFacts | str:
    """What Redis says of itself, or why it says nothing."""
    try:
        async with asyncio.timeout(WITHIN):
            info = await redis.info()
    except ResponseError:
        return "It answers, but its user may not run INFO, so no more is known."
    except (RedisError, OSError, TimeoutError):
        return "No answer within a second."
    return RedisFacts(
        version=str(info.get("valkey_version") or info["redis_version"]),
        memory=int(info["used_memory"]),
        memory_allowed=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "unknown")),
        evicted=int(info.get("evicted_keys", 0)),
        keeps_log=bool(info.get("aof_enabled", 0)),
        is_snapshot_ok=info.get("rdb_last_bgsave_status", "ok") == "ok",
    )


async def ask_folder(folder: Path) -> FolderFacts | str:
    """What room there is, or why that is not known: a folder on a network may hang."""
    try:
        async with asyncio.timeout(WITHIN):
            return await asyncio.to_thread(look, folder)
    except OSError as error:
        return f"It cannot be looked at ({error.strerror or 'no answer'})."


def look(folder: Path) -> FolderFacts:
    """Look at the folder, however long that takes."""
    exists = folder.is_dir()
    # One that does not exist yet is made on the disk of the first of its parents that does.
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    disk = shutil.disk_usage(nearest)
    return FolderFacts(exists, os.access(nearest, os.W_OK), disk.free, disk.total)
