"""The asking side of a contender, in its own environment: `python -m tests.benchmarks.client MODULE DEED [NUMBERS]`.

It runs on uvloop where that is installed, as the contenders' workers do.

A contender's module has `asking()`, a context that gives the ways to ask for one job and for many, and `prepare()` if
its tables must be made first. What came out is printed as one number.
"""

import asyncio
import importlib
import importlib.util
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import NamedTuple

from tests.benchmarks.record import record

RATE = 50


class Ask(NamedTuple):
    """How a contender is asked."""

    #: For one job: when it was asked for, in nanoseconds, and how many seconds it shall take.
    one: Callable[[int, float], Awaitable[None]]
    #: For many that take no time, by the fastest way that is documented.
    many: Callable[[list[int]], Awaitable[None]]


async def one_by_one(ask: Ask, seconds: float) -> float:
    """Ask for as many as can be in that time, each awaited. Jobs a second."""
    began = time.monotonic()
    for number in count(1):
        await ask.one(time.monotonic_ns(), 0)
        if (passed := time.monotonic() - began) > seconds:
            return number / passed
    raise AssertionError("unreachable")


async def in_bulk(ask: Ask, jobs: float, batch: float) -> float:
    """Ask for that many, a batch at a time. Jobs a second."""
    began = time.monotonic()
    for _ in range(int(jobs / batch)):
        await ask.many([time.monotonic_ns()] * int(batch))
    return jobs / (time.monotonic() - began)


async def steadily(ask: Ask, jobs: float) -> float:
    """Ask for that many, 50 a second. Jobs a second."""
    began = time.monotonic()
    for number in range(int(jobs)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        asked_ns = time.monotonic_ns()
        await ask.one(asked_ns, 0)
        record(asked_ns, "answered")
    return jobs / (time.monotonic() - began)


async def slow_ones(ask: Ask, jobs: float) -> float:
    """Ask for that many jobs which take 1.5 seconds each."""
    for number in range(int(jobs)):
        await ask.one(number, 1.5)
    return jobs


async def main(module: str, deed: str, *numbers: float) -> None:
    """Do one deed."""
    peer = importlib.import_module(module)
    if deed == "prepare":
        await peer.prepare()
        return
    async with peer.asking() as ask:
        print(await globals()[deed](ask, *numbers))


if __name__ == "__main__":
    name, what, *given = sys.argv[1:]
    run = asyncio.run
    if importlib.util.find_spec("uvloop"):
        import uvloop

        run = uvloop.run
    run(main(name, what, *map(float, given)))
