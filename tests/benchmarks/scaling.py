"""Which rule should say how many workers there are? Simulated, in seconds: `python -m tests.benchmarks.scaling`.

Writes docs/scaling.md. The product's own rule is the very code that the dispatcher runs; the others are written down from
their documentation. Queues are those of `tasks/queues.json`, a task takes a minute to start, as on Fargate.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil, inf
from pathlib import Path
from typing import Final, Protocol

from models.jobs.scaling import Load as Asked
from models.jobs.scaling import Scaler, Service, Terms
from tasks.queues import QUEUES

OUT: Final = Path(__file__).parents[2] / "docs" / "scaling.md"
START: Final = 60
#: How long a stopped task may go on, as `drain_seconds` in infra/terraform/tasks.tf.
GRACE: Final = 100
HOLD: Final = 300.0


@dataclass(slots=True)
class Job:
    """`began` is the start that was not cut short."""

    asked: int
    takes: int
    began: int | None = None


@dataclass(slots=True, eq=False)
class Task:
    """One worker; `ends` are its jobs with the second in which each is done."""

    ready_at: int
    ends: list[tuple[int, Job]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule can know at a second. `tasks` have started; `desired` were asked for."""

    at: int
    ready: int
    running: int
    oldest: int
    tasks: int
    desired: int


class Rule(Protocol):
    """Says how many tasks are desired."""

    def __call__(self, seen: Seen) -> int: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What comes in, for so many seconds, in a queue."""

    name: str
    queue: str
    until: int
    jobs: Sequence[tuple[int, int]]

    @property
    def slots(self) -> int:
        return QUEUES[self.queue]["slots"]

    @property
    def patience(self) -> int:
        return QUEUES[self.queue]["age_seconds"]

    @property
    def usual(self) -> float:
        """How long a job takes on the average."""
        return sum(takes for _, takes in self.jobs) / len(self.jobs)

    def clamp(self, wanted: int, least: int) -> int:
        return min(max(wanted, least), QUEUES[self.queue]["max"])


# ------------------------------------------------------------ the rules


def ours(work: Work) -> Rule:
    """The product's rule, every ten seconds."""
    one = QUEUES[work.queue]
    terms = Terms(one["slots"], timedelta(seconds=one["age_seconds"]))
    service = Service("worker", {work.queue: terms}, one["min"], one["max"])
    scaler = Scaler(service, hold=HOLD, wanted=one["min"], at=0)

    def rule(seen: Seen) -> int:
        if seen.at % 10 == 0:
            asked = Asked(seen.ready, seen.running, timedelta(seconds=seen.oldest))
            scaler.decide({work.queue: asked}, seen.tasks, seen.at)
        return scaler.wanted

    return rule


def target_tracking(work: Work) -> Rule:
    """AWS: backlog per running task, held at the patience divided by the time of a job.

    Three minutes above before more, fifteen below before fewer; never from zero, where there is nothing to divide by.
    """
    target = max(1.0, work.patience / work.usual) * work.slots
    above = below = 0

    def rule(seen: Seen) -> int:
        nonlocal above, below
        if seen.at % 60:
            return work.clamp(seen.desired, 1)
        ratio = seen.ready / max(seen.tasks, 1) / target
        above, below = (above + 1, 0) if ratio > 1 else (0, below + 1) if ratio < 0.9 else (0, 0)
        if above >= 3 or below >= 15:
            above = below = 0
            return work.clamp(ceil(seen.tasks * ratio), 1)
        return work.clamp(seen.desired, 1)

    return rule


def keda(work: Work) -> Rule:
    """KEDA: what waits divided by the slots of a task, every 30 seconds, fewer by the highest of five minutes."""
    wishes: deque[tuple[int, int]] = deque()
    least = QUEUES[work.queue]["min"]

    def rule(seen: Seen) -> int:
        if seen.at % 30 == 0:
            wishes.append((seen.at, ceil(seen.ready / work.slots)))
            while wishes[0][0] <= seen.at - HOLD:
                wishes.popleft()
        return work.clamp(max(wish for _, wish in wishes), least)

    return rule


def age_only(work: Work) -> Rule:
    """One more for each minute in which the oldest job waits too long, one less for each in which nothing waits."""

    def rule(seen: Seen) -> int:
        step = 0
        if seen.at % 60 == 0:
            step = 1 if seen.oldest > work.patience else -1 if not seen.ready else 0
        return work.clamp(seen.desired + step, 1)

    return rule


RULES: Final[dict[str, Callable[[Work], Rule]]] = {
    "Galley": ours,
    "AWS target tracking": target_tracking,
    "KEDA's formula": keda,
    "age only": age_only,
}


# ------------------------------------------------------------ the work


def works() -> list[Work]:
    """Bursts, a steady load, and long scans."""
    chance = random.Random(12)

    def poisson(every: float, until: int, takes: int) -> list[tuple[int, int]]:
        found, at = [], 0.0
        while (at := at + chance.expovariate(1 / every)) < until:
            found.append((int(at), round(takes * chance.uniform(0.5, 1.5))))
        return found

    bursts = [(at, 90) for at in (600, 4200, 7800) for _ in range(200)]
    return [
        Work("200 jobs of 90 s at once, three times", "orders", 4 * 3600, bursts),
        Work("15 jobs of 60 s a minute", "orders", 4 * 3600, poisson(4, 3 * 3600, 60)),
        Work("a scan of 30 minutes every 10", "reports", 8 * 3600, poisson(600, 5 * 3600, 1800)),
    ]


# ------------------------------------------------------------ the world


@dataclass(frozen=True, slots=True)
class Result:
    """How it went. `p95` is a wait in seconds, infinite if jobs were never done; `cut` are tasks stopped at work."""

    p95: float
    task_seconds: int
    cut: int


def simulate(work: Work, rule: Rule, *, is_protected: bool) -> Result:
    """Every second of the work under a rule. A protected task is only stopped while it is idle."""
    coming = deque(Job(*one) for one in sorted(work.jobs))
    jobs, line = list(coming), deque[Job]()
    tasks: list[Task] = []
    leaving: list[Task] = []
    desired = cut = spent = 0
    for at in range(work.until):
        while coming and coming[0].asked <= at:
            line.append(coming.popleft())
        for task in (*tasks, *leaving):
            task.ends = [one for one in task.ends if one[0] > at]
        leaving = [task for task in leaving if task.ends]
        started = [task for task in tasks if task.ready_at <= at]
        for task in started:
            while line and len(task.ends) < work.slots:
                job = line.popleft()
                job.began = at
                task.ends.append((at + job.takes, job))
        running = sum(len(task.ends) for task in tasks)
        oldest = at - line[0].asked if line else 0
        desired = rule(Seen(at, len(line), running, oldest, len(started), desired))
        tasks += [Task(at + START) for _ in range(desired - len(tasks))]
        # Nobody promises which task is stopped: the newest, or the newest that is idle.
        for task in reversed(tasks[desired:] if not is_protected else [one for one in tasks if not one.ends]):
            if len(tasks) <= desired:
                break
            tasks.remove(task)
            lost = [job for end, job in task.ends if end > at + GRACE]
            cut += bool(lost)
            for job in lost:
                job.began = None
            line.extendleft(lost)
            task.ends = [one for one in task.ends if one[1] not in lost]
            leaving.append(task)
        spent += len(tasks) + len(leaving)
    waits = sorted(inf if job.began is None else job.began - job.asked for job in jobs)
    return Result(waits[int(len(waits) * 0.95)], spent, cut)


# ------------------------------------------------------------ the page


def page() -> str:
    """docs/scaling.md."""
    parts = [HEAD]
    for work in works():
        parts += [f"\n## {work.name[0].upper()}{work.name[1:]}\n", TABLE]
        for name, rule in RULES.items():
            bare = simulate(work, rule(work), is_protected=False)
            kept = simulate(work, rule(work), is_protected=True)
            cells = [_wait(kept), f"{kept.task_seconds:,}", _wait(bare), f"{bare.task_seconds:,}", bare.cut]
            parts.append("| " + " | ".join(map(str, (name, *cells))) + " |")
    return "\n".join(parts) + "\n"


def _wait(result: Result) -> str:
    return "never done" if result.p95 == inf else f"{result.p95:,.0f}"


HEAD: Final = """\
# How many workers

Written by `python -m tests.benchmarks.scaling`: a simulation, not a measurement. Galley's line is the code of
`models/jobs/scaling.py`; the others are what their documentation says. Slots, bounds and patience are those of
`tasks/queues.json`, a task takes 60 s to start, and a stopped one has 100 s to end its jobs. *Protected* tasks are stopped only
while they are idle, as Galley asks of ECS and does on one machine; every rule is shown with and without.

A rule that sees only what waits (target tracking, KEDA's usual query) sends workers home while they work, and the long jobs
show it. Age alone asks for help when somebody has waited too long already. Counting what runs costs tasks under a steady
load, where it holds the highest wish of five minutes, and buys the short wait. Target tracking and age alone are given one
task at least: from none, there is nothing to divide by."""

TABLE: Final = """\
| rule | p95 wait, s | task-seconds | p95 wait, unprotected | task-seconds | busy tasks stopped |
|---|---:|---:|---:|---:|---:|"""


def main() -> None:
    """Simulate and write."""
    text = page()
    OUT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
