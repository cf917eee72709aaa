"""A flow as a picture: each job stands to the right of all that it waits for."""

from collections import defaultdict
from collections.abc import Collection, Sequence
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
#: Between lanes beneath the boxes.
LANE: Final = 14
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
    """A flow, its boxes in the order in which they can run, and the curves between them as paths of SVG. None runs behind
    a box, and no two run along the same lane.
    """

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
    places = frozenset((one.x, one.y) for one in boxes.values())
    lanes: set[tuple[int, int]] = set()
    curves = []
    # The shortest ways first: they take the lanes nearest to them, and longer ones go around.
    for parent, child in sorted(found.edges, key=lambda edge: column(edge[1]) - column(edge[0])):
        begin, end = boxes[parent], boxes[child]
        passed = range(begin.x + ACROSS, end.x, ACROSS)
        lane = _lane((begin.y + end.y) // 2, passed, places, lanes) if passed else None
        curves.append(_path(begin, end, lane))
        lanes.update((x, lane) for x in passed if lane is not None)
    return Picture(
        found.flow,
        tuple(boxes.values()),
        tuple(curves),
        max(one.x for one in boxes.values()) + WIDTH,
        max([one.y + HEIGHT for one in boxes.values()] + [lane for _, lane in lanes]),
    )


def _lane(
    near: int, passed: Sequence[int], places: Collection[tuple[int, int]], taken: Collection[tuple[int, int]]
) -> int:
    """How far down to pass these columns, nearest to the row at `near`: in the middle of a row that has no box there,
    between two rows, or beneath all of them.
    """
    bottom = max(y for _, y in places)
    free = [y for y in range(0, bottom + 1, DOWN) if all((x, y) not in places for x in passed)]
    between = (DOWN - HEIGHT) // 2
    lanes = [y + HEIGHT // 2 for y in free] + [y - between for y in range(DOWN, bottom + 1, DOWN)]
    # There may be as many lanes beneath as there are ways that were given one.
    lanes += [bottom + HEIGHT + between + LANE * number for number in range(len(taken) + 1)]
    open_lanes = (one for one in lanes if all((x, one) not in taken for x in passed))
    return min(open_lanes, key=lambda one: (abs(one - near - HEIGHT // 2), -one))


def _path(parent: Box, child: Box, lane: int | None) -> str:
    """From the right side of a box to the left side of another one, along the lane if there are columns between."""
    begin, end = (parent.x + WIDTH, parent.y + HEIGHT // 2), (child.x, child.y + HEIGHT // 2)
    if lane is None:
        return f"M{begin[0]} {begin[1]}{_curve(begin, end)}"
    enter, leave = (parent.x + ACROSS, lane), (child.x - ACROSS + WIDTH, lane)
    return f"M{begin[0]} {begin[1]}{_curve(begin, enter)}H{leave[0]}{_curve(leave, end)}"


def _curve(begin: tuple[int, int], end: tuple[int, int]) -> str:
    middle = (begin[0] + end[0]) // 2
    return f"C{middle} {begin[1]} {middle} {end[1]} {end[0]} {end[1]}"
