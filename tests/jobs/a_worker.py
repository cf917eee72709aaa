"""A real worker or dispatcher process that also knows the messages of the engine's tests.

`python -m tests.jobs.a_worker worker|dispatcher`
"""

import asyncio
import contextlib
import sys

import tests.jobs.messages  # noqa: F401 - joins the test messages with their runners
from models.base.logs import configure
from models.base.settings import start
from tasks.dispatcher import dispatch
from tasks.worker import load_parts, work

if __name__ == "__main__":
    settings = start()
    configure(settings, process=sys.argv[1])
    load_parts()
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(work(settings, {"test": 8}) if sys.argv[1] == "worker" else dispatch(settings))
