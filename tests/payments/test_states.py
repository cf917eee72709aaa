"""The drawings, walked pair by pair, in the database that has to keep to them."""

from itertools import product

import pytest
from sqlalchemy import update

from models.base.db import Database
from models.base.errors import Conflict
from models.base.states import move, sources
from models.payments.ledger import move_refund
from models.payments.moves import move_checkout, move_payment
from models.payments.states import (
    CHECKOUT_MOVES,
    EVENT_MOVES,
    PAYMENT_MOVES,
    REFUND_MOVES,
    CheckoutState,
    EventState,
    PaymentState,
    RefundState,
)
from models.payments.tables import Checkout, Refund
from tests.payments.shop import Shop

DRAWINGS = [
    (CHECKOUT_MOVES, CheckoutState),
    (REFUND_MOVES, RefundState),
    (PAYMENT_MOVES, PaymentState),
    (EVENT_MOVES, EventState),
]


@pytest.mark.parametrize(("moves", "states"), DRAWINGS)
def test_every_state_is_drawn_and_only_drawn_moves_are_allowed(moves, states) -> None:
    assert set(moves) == set(states)
    for here, there in product(states, repeat=2):
        if there in moves[here]:
            assert move(moves, here, there) is there
            assert here in sources(moves, there)
        else:
            assert here not in sources(moves, there)
            with pytest.raises(Conflict):
                move(moves, here, there)


@pytest.mark.parametrize(("moves", "states"), DRAWINGS)
def test_every_state_but_the_first_can_be_reached(moves, states) -> None:
    first, *others = states
    reached = {first}
    while new := {there for here in reached for there in moves[here]} - reached:
        reached |= new
    assert reached == {first, *others}


def test_no_state_leads_out_of_what_is_final() -> None:
    assert {one for one, ways in CHECKOUT_MOVES.items() if not ways} == {
        CheckoutState.PAID,
        CheckoutState.MISMATCH,
    }
    assert {one for one, ways in EVENT_MOVES.items() if not ways} == {
        EventState.PROCESSED,
        EventState.IGNORED,
    }


async def test_the_database_moves_a_checkout_along_the_drawing_only(shop: Shop) -> None:
    checkout = await shop.expect()
    for here, there in product(CheckoutState, repeat=2):
        await _set(shop.database, checkout, state=here)
        async with shop.database.transaction() as session:
            moved = await move_checkout(session, checkout.id, there)
        assert (moved is not None) == (there in CHECKOUT_MOVES[here]), (here, there)


async def test_the_database_moves_the_money_along_the_drawing_only_and_tells_of_each_move(shop: Shop) -> None:
    checkout = await shop.expect()
    drawn = 0
    for here, there in product(PaymentState, repeat=2):
        await _set(shop.database, checkout, payment_state=here)
        async with shop.database.transaction() as session:
            moved = await move_payment(session, checkout.id, there)
        assert (moved is not None) == (there in PAYMENT_MOVES[here]), (here, there)
        drawn += moved is not None
    assert await shop.jobs("test.money_moved") == drawn


async def test_the_database_moves_a_refund_along_the_drawing_only(shop: Shop) -> None:
    checkout = await shop.bought()
    refund = await shop.refund(checkout, "failed")
    assert refund is not None
    for here, there in product(RefundState, repeat=2):
        async with shop.database.transaction() as session:
            await session.execute(update(Refund).values(state=here))
            moved = await move_refund(session, refund, there)
        assert (moved is not None) == (there in REFUND_MOVES[here]), (here, there)


async def _set(database: Database, checkout: Checkout, **values: object) -> None:
    async with database.transaction() as session:
        await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(values))
