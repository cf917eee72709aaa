"""What happened to an order is written down once, and never differently."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.base.clock import now
from models.base.db import Database
from models.orders.reviewing import regenerable_at
from models.orders.tables import Generation
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import make_shop, the_order


@pytest.mark.parametrize(
    "statement",
    [
        "update orders_transitions set reason = 'another'",
        "delete from orders_transitions",
        "truncate orders_transitions",
    ],
)
async def test_the_database_refuses_to_alter_or_remove_what_happened(
    world: World, database: Database, statement: str
):
    await make_shop(database)
    await run_everything(world)
    with pytest.raises(DBAPIError, match="only ever added to"):
        async with database.transaction() as session:
            await session.execute(text(statement))


async def test_a_limit_of_more_than_a_hundred_a_day_counts_all_of_them(world: World, database: Database):
    shop = await make_shop(database)
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    rules = world.settings.orders.model_copy(update={"regenerations_per_day": 120})
    settings = world.settings.model_copy(update={"orders": rules})
    at = now()
    asked = [at - timedelta(minutes=130 - number) for number in range(130)]
    async with database.transaction() as session:
        session.add_all(
            Generation(order_id=order.id, number=number, state="failed", cause=cause, created_at=created_at)
            for number, (cause, created_at) in enumerate(
                [("rebase", at), *(("regenerate", one) for one in asked), ("repair", at)], start=2
            )
        )
        await session.flush()
        assert await regenerable_at(session, settings, order.id, at) == asked[10] + timedelta(days=1)
