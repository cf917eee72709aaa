"""A flow as a picture: each job stands to the right of all that it waits for."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from models.jobs.flows import Drawing
from models.jobs.tables import FlowRow, JobRow

#: In units of the picture, which are pixels at its full size.
WIDTH: Final = 190
HEIGHT: Final = 44
ACROSS: Final = 240
DOWN: Final = 60
#: More than that is no picture any more, but a list.
MOST_DRAWN: Final = 60


@dataclass(frozen=True, slots=True)
class Box:
    """A job with its place, and the steps that it waits for."""

    job: JobRow
    x: int
    y: int
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A flow, its boxes in the order in which they can run, and the curves between them as paths of SVG."""

    flow: FlowRow
    boxes: tuple[Box, ...]
    curves: tuple[str, ...]
    width: int
    height: int

    @property
    def is_drawn(self) -> bool:
        """Whether a picture tells more than a list."""
        return bool(self.curves) and len(self.boxes) <= MOST_DRAWN


def draw(found: Drawing) -> Picture:
    """Lay out a flow in columns, by the longest way to each job; in a column jobs stand as they were asked for."""
    parents: dict[UUID, list[UUID]] = defaultdict(list)
    for parent, child in found.edges:
        parents[child].append(parent)
    depth: dict[UUID, int] = {}

    def column(job_id: UUID) -> int:
        if job_id not in depth:
            depth[job_id] = 1 + max(map(column, parents[job_id]), default=-1)
        return depth[job_id]

    jobs = {one.id: one for one in sorted(found.jobs, key=lambda one: (column(one.id), one.id))}
    filled: dict[int, int] = defaultdict(int)
    boxes: dict[UUID, Box] = {}
    for job in jobs.values():
        across = column(job.id)
        after = tuple(jobs[one].step or jobs[one].kind for one in sorted(parents[job.id]))
        boxes[job.id] = Box(job, across * ACROSS, filled[across] * DOWN, after)
        filled[across] += 1
    return Picture(
        found.flow,
        tuple(boxes.values()),
        tuple(_curve(boxes[parent], boxes[child]) for parent, child in found.edges),
        max(one.x for one in boxes.values()) + WIDTH,
        max(one.y for one in boxes.values()) + HEIGHT,
    )


def _curve(parent: Box, child: Box) -> str:
    begin, end, middle = parent.x + WIDTH, child.x, (parent.x + WIDTH + child.x) // 2
    above, below = parent.y + HEIGHT // 2, child.y + HEIGHT // 2
    return f"M{begin} {above}C{middle} {above} {middle} {below} {end} {below}"
