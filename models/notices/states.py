"""The states of a webhook's delivery, as a drawing."""

from enum import StrEnum

from models.base.states import Moves


class DeliveryState(StrEnum):
    """Where a delivery stands. `waiting` is also how it waits for its next attempt."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


S = DeliveryState
MOVES: Moves[DeliveryState] = {
    S.WAITING: frozenset({S.DELIVERED, S.FAILED}),
    # A person may have it sent again; its receiver knows it by its id.
    S.DELIVERED: frozenset({S.WAITING}),
    S.FAILED: frozenset({S.WAITING}),
}
