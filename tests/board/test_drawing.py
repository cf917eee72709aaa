"""A flow as a picture: what stands in a box fits it, and every way between two of them is seen."""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from uuid import UUID

import pytest

from models.accounts.states import Role
from models.jobs.flows import Drawing, Step, enqueue_flow
from models.jobs.tables import FlowRow, JobRow
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from web.board.drawing import HEIGHT, WIDTH, Box, Picture, draw

Point = tuple[float, float]
#: Steps, and what each waits for.
SHAPES: dict[str, dict[str, str]] = {
    "a chain": {"a": "", "b": "a", "c": "b"},
    "a chain whose last step waits for all": {"a": "", "b": "a", "c": "b", "d": "abc"},
    "a long chain whose last step waits for all": {
        "a": "",
        "b": "a",
        "c": "b",
        "d": "c",
        "e": "d",
        "f": "abcde",
    },
    "two ways past the same box": {"a": "", "b": "", "c": "ab", "d": "abc"},
    "a diamond": {"a": "", "b": "a", "c": "a", "d": "bc"},
    "out to five and in again": {"a": "", "b": "a", "c": "a", "d": "a", "e": "a", "f": "a", "g": "bcdef"},
    "past five": {"a": "", "b": "a", "c": "a", "d": "a", "e": "a", "f": "a", "g": "abcdef"},
    "parents in two columns": {"a": "", "b": "a", "c": "", "d": "bc"},
    "a ladder": {"a": "", "b": "a", "c": "ab", "d": "bc", "e": "cd", "f": "de"},
}


def pictured(shape: Mapping[str, str]) -> Picture:
    ids = {step: UUID(int=number) for number, step in enumerate(shape)}
    jobs = [JobRow(id=ids[step], step=step, kind="drawn.step") for step in shape]
    edges = [(ids[parent], ids[step]) for step, parents in shape.items() for parent in parents]
    return draw(Drawing(FlowRow(name="drawn"), jobs, edges))


def walked(path: str) -> Iterator[Point]:
    """Points along a path of M, C and H."""
    here: Point = (0, 0)
    for letter, typed in re.findall(r"([MCH])([^MCH]*)", path):
        numbers = [float(one) for one in typed.split()]
        if letter == "C":
            (x1, y1, x2, y2, x3, y3), (x, y) = numbers, here
            for step in range(21):
                t, s = step / 20, 1 - step / 20
                yield (
                    s**3 * x + 3 * s * s * t * x1 + 3 * s * t * t * x2 + t**3 * x3,
                    s**3 * y + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t**3 * y3,
                )
            here = (x3, y3)
        elif letter == "H":
            yield from ((x, here[1]) for x in range(int(here[0]), int(numbers[0]) + 1, 5))
            here = (numbers[0], here[1])
        else:
            here = (numbers[0], numbers[1])


def is_behind(point: Point, box: Box) -> bool:
    return box.x < point[0] < box.x + WIDTH and box.y < point[1] < box.y + HEIGHT


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_way_between_two_boxes_is_seen_whole(shape: dict[str, str]):
    picture = pictured(shape)
    ends = {(box.x + WIDTH, box.y + HEIGHT / 2) for box in picture.boxes}
    begins = {(box.x, box.y + HEIGHT / 2) for box in picture.boxes}
    assert len(picture.curves) == sum(map(len, shape.values()))
    for path in picture.curves:
        points = list(walked(path))
        assert (points[0] in ends, points[-1] in begins) == (True, True)
        assert not [one for one in points for box in picture.boxes if is_behind(one, box)], path
        assert all(0 <= y <= picture.height for _, y in points)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_no_two_ways_run_along_the_same_line(shape: dict[str, str]):
    # What leaves one box, or comes into one, is together there and nowhere else.
    passing = [{one for one in walked(path) if one[0] % 240 < WIDTH} for path in pictured(shape).curves]
    ends = {(box.x + side, box.y + HEIGHT // 2) for box in pictured(shape).boxes for side in (0, WIDTH)}
    assert all(not (one & other) - ends for one, other in combinations(passing, 2))


async def test_a_way_has_an_arrow_at_its_end(board: Board):
    steps = {"fetch": Step(TendReviews()), "write": Step(TendReviews(), after=("fetch",))}
    async with board.database.transaction() as session:
        flow_id = await enqueue_flow(session, "arrows", steps)
    ana = await board.browser(Role.ANALYST)
    html = (await ana.open(f"/admin/queues/flows/{flow_id}")).html
    assert html.count('<marker id="flow-arrow"') == html.count('marker-end="url(#flow-arrow)"') == 1


async def test_a_long_name_ends_within_its_box_and_is_whole_for_who_listens(board: Board):
    name = "tell everybody who asked of it"
    steps = {"fetch": Step(TendReviews()), name: Step(TendReviews(), after=("fetch",))}
    async with board.database.transaction() as session:
        flow_id = await enqueue_flow(session, "letters", steps)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/flows/{flow_id}")
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", screen.html)
    # A box has room for 21 letters of this size.
    assert "tell everybody who a…" in drawn
    assert max(map(len, drawn)) <= 21
    assert f'aria-label="{name}: Waiting, after fetch"' in screen.html
