"""A real worker process that also knows a report which takes as long as it is told: `python -m tests.local.a_worker`."""

import asyncio
from typing import ClassVar

from models.jobs import Job
from tasks.runs import Work, runs
from tasks.worker import main


class Doze(Job, frozen=True):
    """Keeps a worker of reports busy."""

    kind: ClassVar[str] = "test.doze"
    queue: ClassVar[str] = "reports"
    seconds: float


@runs(Doze)
async def doze(job: Doze, work: Work) -> None:
    await asyncio.sleep(job.seconds)
    async with work.finish():
        pass


if __name__ == "__main__":
    main()
