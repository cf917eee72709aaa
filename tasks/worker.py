"""The worker process: `python -m tasks.worker [--queues mail,orders]`.

SIGTERM or Ctrl-C drains: no new jobs, running ones may end within the grace, the rest goes back at once
without losing an attempt. A second signal does not wait.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

if __name__ == "__main__":
    # What is loaded now stays as long as the process does: to look it through again and again is a sixth of the start. See
    # `work`.
    gc.disable()

import structlog

from models.base.db import new_id
from models.base.process import begin
from models.base.settings import Settings
from tasks.broker import BellBroker
from tasks.heartbeat import Heartbeat, memory_bytes
from tasks.protection import protect
from tasks.queues import QUEUES
from tasks.receiver import JobReceiver
from tasks.world import open_world

log = structlog.get_logger(__name__)

#: The modules that hold runners.
PARTS: Final = (
    "tasks.accounts",
    "tasks.mail",
    "tasks.mail_feedback",
    "tasks.payments",
    "tasks.orders",
    "tasks.articles",
    "tasks.guarantee",
    "tasks.usage",
    "tasks.jobs",
    "tasks.notices",
    "tasks.reports",
)

RECONCILE_SECONDS: Final = 5
STATUS_SECONDS: Final = 60


def load_parts() -> None:
    """Import every module that holds runners, so that `tasks.runs.RUNNERS` is complete."""
    for part in PARTS:
        importlib.import_module(part)


def slots_of(queues: Sequence[str]) -> dict[str, int]:
    """The slots of the named queues (all of them if none is named), from queues.json."""
    if unknown := set(queues) - set(QUEUES):
        sys.stderr.write(
            f"--queues: there is no queue {', '.join(sorted(unknown))}. There are {', '.join(QUEUES)}.\n"
        )
        raise SystemExit(2)
    return {name: one["slots"] for name, one in QUEUES.items() if not queues or name in queues}


async def work(settings: Settings, slots: dict[str, int]) -> None:
    """Be a worker until a signal comes."""
    worker_id = new_id()
    structlog.contextvars.bind_contextvars(worker=str(worker_id))
    finish = asyncio.Event()
    loop = asyncio.get_running_loop()
    me = asyncio.current_task()
    assert me is not None

    def stop() -> None:
        if finish.is_set():
            me.cancel()
        finish.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    connections = min(sum(slots.values()) + 2, 20)
    async with open_world(settings, connections=connections, name=f"worker {worker_id}") as world:
        broker = BellBroker(settings.redis.url, slots, worker_id)
        receiver = JobReceiver(broker, world, slots, worker_id)
        heartbeat = Heartbeat(
            settings, worker_id, slots, lambda: len(receiver.running), lambda: list(receiver.lingering)
        )
        await asyncio.to_thread(heartbeat.start)
        log.info("worker.ready", queues=slots)
        caring = asyncio.create_task(_care(receiver))
        protecting = asyncio.create_task(protect(receiver, settings))
        # What is there by now stays: to look all of it through takes 70 ms, in which no job goes on.
        gc.freeze()
        gc.enable()
        try:
            await receiver.listen(finish)
        finally:
            caring.cancel()
            protecting.cancel()
            heartbeat.is_draining = True
            await asyncio.to_thread(heartbeat.stop)
            log.info("worker.gone", **receiver.counts)


async def _care(receiver: JobReceiver) -> None:
    """Look after strays, and say once a minute how we are."""
    status_at = time.monotonic() + STATUS_SECONDS
    while True:
        await asyncio.sleep(RECONCILE_SECONDS)
        try:
            await receiver.reconcile()
        except Exception as error:  # noqa: BLE001 - mostly the database is away; the next look may have more luck
            log.warning("worker.not_reconciled", error=f"{type(error).__name__}: {error}")
        if time.monotonic() >= status_at:
            status_at += STATUS_SECONDS
            log.info("worker.status", **status_of(receiver))


def status_of(receiver: JobReceiver) -> dict[str, Any]:
    """How a worker is: slots by queue, what runs now, how many jobs ended how since it began, and its memory."""
    ends = {"completed": 0, "failed": 0, "dead": 0} | receiver.counts
    memory = memory_bytes() // 1_000_000
    return {"queues": receiver.slots, "running": len(receiver.running), **ends, "memory_mb": memory}


def main() -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m tasks.worker", description="Runs Galley's jobs.")
    parser.add_argument("--queues", default="", help="comma separated; all queues if not given")
    options = parser.parse_args()
    settings = begin("worker")
    load_parts()
    slots = slots_of([queue for queue in options.queues.split(",") if queue])
    with contextlib.suppress(asyncio.CancelledError):
        import uvloop

        uvloop.run(work(settings, slots))


if __name__ == "__main__":
    main()
