"""What other systems hear of an order."""

from typing import Any

from sqlalchemy import select, update

from models.base.db import Database
from models.notices.tables import Delivery, Endpoint
from models.orders.payments import follow_payment
from models.orders.reviewing import approve, submit
from models.orders.writing.making import create_order, hand_in, take_up
from models.payments.states import PaymentState
from models.payments.tables import Checkout
from tasks.world import World
from tests.orders.builders import draught_of, make_shop, the_order


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    async with database.transaction() as session:
        rows = await session.scalars(select(Delivery).order_by(Delivery.id))
        return [(one.event, one.payload["data"]) for one in rows]


async def test_each_step_of_an_order_is_announced_in_the_transaction_in_which_it_happens(world: World):
    database, settings = world.database, world.settings
    shop = await make_shop(database)
    async with database.transaction() as session:
        session.add(Endpoint(url="https://hooks.example.com", words="", events=[], sealed_secret=b""))
        order = await create_order(session, settings, shop.draft.id, shop.checkout.id)
        assert order is not None
    assert [event for event, _ in await told(database)] == ["order.paid"]
    async with database.transaction() as session:
        brief = await take_up(session, order.id, 1)
        draught = draught_of(brief)
        assert draught is not None
        await hand_in(session, settings, brief, draught)
    order = await the_order(database, shop.draft.id)
    assert order.version_id is not None
    async with database.transaction() as session:
        await submit(session, settings, order.id, order.version_id, shop.people.owner)
    async with database.transaction() as session:
        await approve(session, settings, order.id, shop.people.editor)
    async with database.transaction() as session:
        gone = {"payment_state": PaymentState.REFUNDED, "refunded_cents": 4900}
        await session.execute(update(Checkout).where(Checkout.id == order.checkout_id).values(gone))
        await follow_payment(session, settings, order.checkout_id)
    found = await told(database)
    assert [event for event, _ in found] == ["order.paid", "order.ready", "order.published", "order.refunded"]
    same = {"id": str(order.id), "number": order.number, "product": "backlink", "is_test": True}
    assert found[2][1] == same | {"status": "COMPLETED"}
