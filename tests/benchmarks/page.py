"""docs/benchmarks.md, made of what was measured."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.contenders import Contender

OUT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
#: Above this much load a core before it began, the figures are not to be trusted, and the page says so.
QUIET = 0.5

#: Heading, the list of `Figures` that it is the median of, and how many decimals.
COLUMNS = (
    ("asked one by one, jobs/s", "one_by_one", 0),
    ("each synced to the disk", "synced", 0),
    ("in bulk", "in_bulk", 0),
    ("drained", "drained", 0),
    ("start p50, ms", "p50", 1),
    ("start p99, ms", "p99", 1),
    ("idle worker, MB", "idle_mb", 0),
)


@dataclass
class Figures:
    """One contender's measurements, an entry per round."""

    contender: Contender
    one_by_one: list[float] = field(default_factory=list)
    #: The same with what PostgreSQL promises anyway: whatever was answered is on the disk.
    synced: list[float] = field(default_factory=list)
    in_bulk: list[float] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    #: The same as `p50`, from when the asker had its answer.
    after_answer: list[float] = field(default_factory=list)
    idle_mb: list[float] = field(default_factory=list)
    #: In percent of a core.
    idle_cpu: list[float] = field(default_factory=list)
    #: Seconds until all jobs of a killed worker were done, or None within the time that was waited.
    recovery: float | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """How the engine does with so many rows."""

    finished: int
    waiting: int
    one_by_one: float
    drained: float
    megabytes: float


def write(
    results: Sequence[Figures],
    growth: Sequence[Growth],
    skipped: Mapping[str, str],
    *,
    rounds: int,
    load: float,
) -> None:
    """Put the page where the docs are, and on the screen."""
    parts = (_head(rounds, load), _table(results, skipped), _ratios(results), _NOTES, _growing(growth))
    page = "\n\n".join(part for part in parts if part) + "\n"
    OUT.write_text(page)
    print(page)


def _head(rounds: int, load: float) -> str:
    cores = os.cpu_count() or 1
    busy = (
        f"\n\n**The machine was busy when this ran: its load was {load:.1f}. Compare columns, do not quote figures.**"
        if load > QUIET * cores
        else ""
    )
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench`: medians of {rounds} round{'s' * (rounds > 1)} in one run on {cores} cores\n"
        f"({platform.machine()}, Python {platform.python_version()}), the contenders in turn. The job does\n"
        "nothing and carries about 300 bytes; a "
        "worker is one process with its default settings and 100 slots (Celery: 20 threads). PostgreSQL syncs every commit\n"
        f"to the disk; Redis keeps an append-only file and syncs it every second.{busy}"
    )


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _table(results: Sequence[Figures], skipped: Mapping[str, str]) -> str:
    headings = [heading for heading, _, _ in COLUMNS]
    lines = [
        _row(
            "contender",
            *headings,
            "its CPU, % of a core",
            "start p50 after the answer, ms",
            "all done after kill -9, s",
        ),
        "|---" * (len(headings) + 4) + "|",
    ]
    for one in results:
        cells = [f"{statistics.median(getattr(one, what)):,.{digits}f}" for _, what, digits in COLUMNS]
        cells += [f"{statistics.median(numbers):,.1f}" for numbers in (one.idle_cpu, one.after_answer)]
        recovery = f"{one.recovery:.0f}" if one.recovery is not None else "not within 75"
        lines.append(_row(f"{one.contender.name} {one.contender.version()}".strip(), *cells, recovery))
    lines += ["", *(f"- {one.contender.name}: {one.contender.promise}." for one in results)]
    lines += [f"- {name} was not measured: {why}." for name, why in skipped.items()]
    return "\n".join(lines)


def _ratios(results: Sequence[Figures]) -> str:
    ours, *others = results
    if not others:
        return ""
    lines = [
        "Galley's figure divided by the other's, medians of the rounds (for times and memory, smaller is better):",
        "",
        _row("beside", *(heading.partition(",")[0] for heading, _, _ in COLUMNS)),
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for one in others:
        pairs = [zip(getattr(ours, what), getattr(one, what), strict=True) for _, what, _ in COLUMNS]
        ratios = [statistics.median(mine / theirs for mine, theirs in rounds) for rounds in pairs]
        lines.append(_row(one.contender.name, *(f"{ratio:.2f}" for ratio in ratios)))
    return "\n".join(lines)


_NOTES = """\
Asking one by one is a committed transaction for those on PostgreSQL, and a command without a sync for those on Redis:
the price of the promise. Where each is synced, Redis syncs before it answers (`appendfsync always`), and both promise the
same. In bulk, 1,000 go together in PostgreSQL and 200 in Redis. Drained is counted from start to
start. The start is measured from just before the commit, or
the command, to the first line of the job, at 50 jobs a second; after the answer, from when the commit or the command has
returned. After kill -9: twelve jobs of 1.5 s are running when
their worker is killed, and another worker is started at once."""


def _growing(growth: Sequence[Growth]) -> str:
    lines = [
        "## With more rows",
        "",
        "Galley alone, one worker process; each line was measured once.",
        "",
        _row(
            "finished jobs",
            "waiting jobs",
            "asked one by one, jobs/s",
            "drained, jobs/s",
            "table and indexes, MB",
        ),
        "|---" * 5 + "|",
    ]
    lines += [
        _row(
            f"{one.finished:,}",
            f"{one.waiting:,}",
            f"{one.one_by_one:,.0f}",
            f"{one.drained:,.0f}",
            f"{one.megabytes:,.0f}",
        )
        for one in growth
    ]
    return "\n".join(lines)
