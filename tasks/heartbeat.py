"""A worker's sign of life, from a thread of its own: a runner that blocks the event loop is busy, not dead."""

import asyncio
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

import orjson
import structlog

from models.base.settings import Settings
from models.jobs.store import Store

log = structlog.get_logger(__name__)


class Heartbeat:
    """Beats four times per lease until stopped; the first beat, which makes us known, is waited for."""

    def __init__(
        self,
        settings: Settings,
        worker_id: UUID,
        slots: Mapping[str, int],
        running: Callable[[], int],
        lingering: Callable[[], list[UUID]] = list,
    ) -> None:
        self._settings = settings
        self._every = settings.jobs.lease_seconds / 4
        self._worker_id = worker_id
        self._queues = orjson.dumps(dict(slots)).decode()
        self._running = running
        self._lingering = lingering
        self._stop = threading.Event()
        self._known = threading.Event()
        self.is_draining = False
        self._thread = threading.Thread(target=self._main, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin, and wait until the database knows us: a claim by an unknown worker would be taken back at once."""
        self._thread.start()
        self._known.wait()

    def stop(self) -> None:
        """End, and take our row away: nothing of ours runs any more."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _main(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        store = Store(self._settings.database.url, self._worker_id, f"worker {self._worker_id} beats")
        is_known = False
        while not self._stop.is_set():
            try:
                if not is_known:
                    await store.arrive(socket.gethostname(), os.getpid(), self._queues)
                    self._known.set()
                is_known = await store.beat(
                    self._running(), memory_bytes(), self._lingering(), is_draining=self.is_draining
                )
                if not is_known:
                    # We were asleep for so long that we were forgotten: until we are known again, what we claim is taken back.
                    continue
            except Exception as error:  # noqa: BLE001 - mostly the database is away; without beats we count as dead
                log.warning("heartbeat.missed", error=str(error))
            # A thread's wait, not asyncio's: stopping must not wait for the next beat.
            await asyncio.to_thread(self._stop.wait, self._every)
        try:
            await store.leave()
            await store.close()
        except Exception as error:  # noqa: BLE001 - the row ages, and is forgotten
            log.warning("heartbeat.not_left", error=str(error))


def memory_bytes() -> int:
    """The memory that this process holds now (its resident set), in bytes; on macOS, the most that it has held."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
