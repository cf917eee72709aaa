"""What the processes of the suite run. A fork server has imported all of this, so a new one takes milliseconds."""

import asyncio
import contextlib
import importlib
import os
import random
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import uvloop

from models.base import crash_points
from models.base.logs import configure
from models.base.settings import Settings, start
from models.jobs import Wish, enqueue_all
from tasks.dispatcher import dispatch
from tasks.worker import load_parts, work
from tasks.world import open_world
from tests.reliability.guards import GUARDS, shift_the_clock
from tests.reliability.messages import QUEUE, Do

SLOTS = 8
# What some faults have run beside the suite's own jobs, and what it takes seconds to import.
load_parts()
importlib.import_module("tasks.llm.providers")


@dataclass(frozen=True)
class Part:
    """What a process is to be."""

    role: Literal["worker", "dispatcher", "asker"]
    #: What a worker takes jobs from.
    queue: str = QUEUE
    crash_at: str | None = None
    #: There it stands still (SIGSTOP) and does not die; once, for when it goes on it is no trap any more.
    stands: bool = False
    without: str | None = None
    #: How wrong its clock is. SIGUSR1 puts it forward by an hour while it runs, SIGUSR2 back.
    shift: timedelta = timedelta(0)
    #: What an asker asks for, each under a key of its own.
    tokens: Sequence[int] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What the jitter of its pauses comes from.
    seed: int = 0


def run(part: Part, log: str) -> None:
    """Be that, until a signal comes."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(part.environment)
    crash_points.armed = part.crash_at
    if part.stands:
        crash_points.fate = signal.SIGSTOP
        signal.signal(signal.SIGCONT, _disarm)
    if part.without:
        GUARDS[part.without]()
    shift_the_clock(part.shift)
    random.seed(part.seed)
    settings = start()
    configure(settings, process=part.role)
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(_play(part, settings))
    # As a program ends, and not as a fork of the test does: nobody's exit handlers are run.
    sys.stdout.flush()
    os._exit(0)


def _disarm(_number: int, _frame: object) -> None:
    crash_points.armed = None


def _play(part: Part, settings: Settings) -> Coroutine[Any, Any, None]:
    if part.role == "worker":
        return work(settings, {part.queue: SLOTS})
    return dispatch(settings) if part.role == "dispatcher" else _ask(settings, part.tokens)


async def _ask(settings: Settings, tokens: Sequence[int]) -> None:
    wishes = [Wish(Do(token=one, act="write", seconds=0), unique=f"token/{one}") for one in tokens]
    async with open_world(settings, connections=1, name="asker") as world:
        for at in range(0, len(wishes), 10):
            async with world.database.transaction() as session:
                await enqueue_all(session, wishes[at : at + 10])
