"""`python -m tests.reliability [--jobs 450]`: every fault in its full size, every guard taken away once, a
deployment, and how fair the queue is.

Writes tests/reliability/figures.json. Exits with 1 if a promise was broken, or a missing guard was not noticed.
RELIABILITY_SEED=<seed of a run> chooses again as that run did.
"""

import argparse
import asyncio
import logging
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import structlog

from models.base.clock import now
from models.base.settings.working import JobSettings
from tests.reliability.deployment import Load, deployed
from tests.reliability.fairness import EVEN, fairness
from tests.reliability.faults import BEGUN_ONCE, FAULTS, MATTERS, SMALL, outcome
from tests.reliability.oracle import Figures
from tests.reliability.servers import Servers, servers
from tests.reliability.stage import Size

#: What a deployment is to go through unnoticed.
LOAD = Load(requests_a_second=50, jobs_a_second=100, copies=2)
OUT = Path(__file__).with_name("figures.json")


async def measured(servers: Servers, fault: str, size: Size = SMALL, without: str | None = None) -> Figures:
    """Let one fault happen, and show what came out."""
    began = time.monotonic()
    figures = await outcome(servers, fault, size, without)
    print(f"{time.monotonic() - began:6.1f} s  {without or ''} {figures}", flush=True)
    return figures


async def is_missed(servers: Servers, guard: str) -> bool:
    """Whether harm is done without the guard. What it guards against takes some chance: it is tried three times."""
    fault, counter = MATTERS[guard]
    for _ in range(3):
        if getattr(await measured(servers, fault, without=guard), counter) > 0:
            return True
    return False


async def main(jobs: int) -> bool:
    """Run everything, write the figures, and say whether all is well."""
    # The figures are what is to be read; the processes have logs of their own.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    size = Size(jobs, lease=JobSettings().lease_seconds)
    began = time.monotonic()
    async with servers() as both:
        faults = [await measured(both, fault, size) for fault in FAULTS]
        seen, replaced = await deployed(both, LOAD, size)
        print(f"{seen.seconds:6.1f} s  {seen} {replaced}", flush=True)
        index, served = await fairness(both, size)
        print(f"fairness {index:.4f}  {served}", flush=True)
        caught = {guard: await is_missed(both, guard) for guard in MATTERS}
    faults += [replaced, served]
    report = summary(faults) | {
        "fairness_index": round(index, 3),
        "guards_missed_when_removed": caught,
        "seconds": round(time.monotonic() - began),
        "lease_seconds": size.lease,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "at": now().date().isoformat(),
        "deployment": asdict(LOAD) | asdict(seen),
        "faults": [asdict(one) for one in faults],
    }
    OUT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return (
        all(one.is_sound and (one.begun_again == 0 or one.fault not in BEGUN_ONCE) for one in faults)
        and index >= EVEN
        and seen.failed == seen.events_lost_or_doubled == replaced.begun_again == 0
        and all(caught.values())
    )


def summary(faults: list[Figures]) -> dict[str, Any]:
    """The counters of all faults together, and the longest recovery."""
    counters = ("attempted", "lost", "unexpected", "done_twice", "recovered", "refused", "begun_again")
    recoveries = [one.recovery_seconds for one in faults if one.recovery_seconds is not None]
    return {name: sum(getattr(one, name) for one in faults) for name in counters} | {
        "longest_recovery_seconds": max(recoveries)
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--jobs", type=int, default=450, help="for each fault")
    sys.exit(0 if asyncio.run(main(parser.parse_args().jobs)) else 1)
