"""Galley's worker with a job that does nothing. `python -m tests.benchmarks.ours SLOTS`"""

import contextlib
import sys
from typing import ClassVar

from models.base.logs import configure
from models.base.settings import start
from models.jobs import Job
from tasks.runs import Work, runs
from tasks.worker import work
from tests.benchmarks.record import record


class Noop(Job, frozen=True):
    """Does nothing."""

    kind: ClassVar[str] = "bench.noop"
    queue: ClassVar[str] = "bench"
    asked_ns: int
    padding: str


@runs(Noop)
async def noop(job: Noop, work: Work) -> None:
    record(job.asked_ns)


if __name__ == "__main__":
    import uvloop

    settings = start()
    configure(settings, process="worker")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(work(settings, {"bench": int(sys.argv[1])}))
