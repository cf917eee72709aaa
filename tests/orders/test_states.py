"""Every pair of states, of every drawing in this slice and below it: a new arrow cannot be added unseen."""

from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from models.base.errors import Conflict
from models.base.states import Moves, move, sources
from models.orders.states import LINK_MOVES, MOVES, LinkState, OrderStatus

S = OrderStatus

#: The drawing once more, as arrows, so that a change of it is a change of two files.
ARROWS = {
    (S.PROCESSING, S.QUALITY_CHECK),
    (S.PROCESSING, S.ADMIN_REVIEW),
    (S.PROCESSING, S.FAILED),
    (S.QUALITY_CHECK, S.PROCESSING),
    (S.QUALITY_CHECK, S.ADMIN_REVIEW),
    (S.QUALITY_CHECK, S.FAILED),
    (S.ADMIN_REVIEW, S.QUALITY_CHECK),
    (S.ADMIN_REVIEW, S.PROCESSING),
    (S.ADMIN_REVIEW, S.COMPLETED),
    (S.ADMIN_REVIEW, S.FAILED),
}


L = LinkState

LINK_ARROWS = {
    (L.IN_PLACE, L.DOUBTED),
    (L.IN_PLACE, L.STUCK),
    (L.DOUBTED, L.IN_PLACE),
    (L.DOUBTED, L.LOST),
    (L.DOUBTED, L.STUCK),
    (L.LOST, L.IN_PLACE),
    (L.LOST, L.REPAIRED),
    (L.LOST, L.STUCK),
    (L.STUCK, L.IN_PLACE),
    (L.STUCK, L.REPAIRED),
    (L.REPAIRED, L.IN_PLACE),
    (L.REPAIRED, L.DOUBTED),
    (L.REPAIRED, L.STUCK),
}


@pytest.mark.parametrize(("here", "there"), list(product(L, L)), ids=lambda one: one.value)
def test_a_published_link_is_never_lost_without_being_doubted(here: LinkState, there: LinkState) -> None:
    assert (there in LINK_MOVES[here]) is ((here, there) in LINK_ARROWS)


@pytest.mark.parametrize(("here", "there"), list(product(S, S)), ids=lambda one: one.value)
def test_an_order_moves_along_the_arrows_and_no_other_way(here: OrderStatus, there: OrderStatus) -> None:
    if (here, there) in ARROWS:
        assert move(MOVES, here, there) is there
        assert here in sources(MOVES, there)
    else:
        with pytest.raises(Conflict):
            move(MOVES, here, there)
        assert here not in sources(MOVES, there)


def test_every_state_is_drawn_and_reachable() -> None:
    def reached(moves: Moves[Any], start: StrEnum) -> set[StrEnum]:
        seen, rest = {start}, [start]
        while rest:
            for there in moves[rest.pop()]:
                if there not in seen:
                    seen.add(there)
                    rest.append(there)
        return seen

    assert set(MOVES) == set(S)
    assert reached(MOVES, S.PROCESSING) == set(S)
    assert set(LINK_MOVES) == set(L)
    assert reached(LINK_MOVES, L.IN_PLACE) == set(L)
