"""Drafts that nobody came back to are forgotten; those that may still become an order are not."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from models.base.clock import now
from models.base.db import Database
from models.jobs import enqueue
from models.orders.jobs import ForgetDrafts
from models.orders.tables import Draft
from models.payments.tables import Checkout
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import make_draft, make_paid, make_shop

DAY = timedelta(days=1)

#: What became of the draft's payment page, how many days ago that page was over, and whether the draft is kept.
FATES: list[tuple[str | None, int, bool]] = [
    (None, 0, False),
    ("expired", 91, False),
    ("failed", 91, False),
    ("expired", 89, True),
    ("pending", 91, True),
    ("open", 91, True),
    ("paid", 91, True),
]


@pytest.mark.parametrize(("state", "days", "is_kept"), FATES)
async def test_an_abandoned_draft_is_forgotten_unless_it_could_still_be_paid(
    world: World, database: Database, state: str | None, days: int, *, is_kept: bool
):
    shop = await make_shop(database)
    await run_everything(world)
    async with database.transaction() as session:
        draft = await make_draft(session, shop.article, shop.people.owner)
        fresh = await make_draft(session, shop.article, shop.people.owner)
        if state is not None:
            checkout = await make_paid(session, draft)
            changes: dict[str, Any] = {"state": state, "expires_at": now() - days * DAY}
            await session.execute(update(Checkout).where(Checkout.id == checkout.id).values(changes))
        old = update(Draft).where(Draft.id != fresh.id).values(updated_at=now() - 91 * DAY)
        await session.execute(old)
        await session.execute(text("delete from jobs"))
        await enqueue(session, ForgetDrafts())
    await run_everything(world)
    async with database.transaction() as session:
        left = set(await session.scalars(select(Draft.id)))
    # What was ordered is kept with its order, and what was touched lately for its owner.
    assert left == {shop.draft.id, fresh.id} | ({draft.id} if is_kept else set())
