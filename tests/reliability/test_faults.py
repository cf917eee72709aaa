"""Each fault in a small size, each guard taken away once. `make reliability` runs them in their full size,
and what takes too long for here: also how fair the queue is.
"""

import re

import pytest

from models.base.crash_points import POINTS
from tests.architecture.tree import ROOMS, files
from tests.reliability.faults import BEGUN_ONCE, FAULTS, MATTERS, TOO_LONG, outcome
from tests.reliability.guards import GUARDS
from tests.reliability.servers import Servers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in TOO_LONG])
async def test_nothing_is_lost_or_done_twice(own_servers: Servers, fault: str) -> None:
    figures = await outcome(own_servers, fault)
    assert figures.is_sound, figures
    assert figures.begun_again == 0 or fault not in BEGUN_ONCE, figures


@pytest.mark.parametrize("guard", MATTERS)
async def test_the_suite_notices_when_a_guard_is_missing(own_servers: Servers, guard: str) -> None:
    fault, counter = MATTERS[guard]
    figures = await outcome(own_servers, fault, without=guard)
    assert getattr(figures, counter) > 0, figures


def test_every_crash_point_stands_in_the_code_once_and_is_died_at() -> None:
    found = [
        point
        for path in files(".py", under=ROOMS)
        for point in re.findall(r'crash_point\("(.+?)"\)', path.read_text())
    ]
    assert sorted(found) == sorted(POINTS)
    assert [point for point in POINTS if not any(fault.endswith(f"killed {point}") for fault in FAULTS)] == []


def test_every_guard_is_taken_away_once() -> None:
    assert set(MATTERS) == set(GUARDS) - {"newer_kinds", "lock_of_the_dispatcher"}
