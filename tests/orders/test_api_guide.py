"""The program in docs/api.md works as it stands there."""

import asyncio
import os
import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from models.accounts import tokens
from models.accounts.states import Scope
from models.base.clock import now
from models.orders.states import OrderStatus
from models.orders.tables import Order
from tests.orders.selling import OWNER, Shop

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.slow
async def test_the_program_of_the_guide_hands_in_the_text(shop: Shop):
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    async with shop.site.browser() as ada:
        await shop.buy(ada)
    order_id = await shop.order_id()
    scopes = (Scope.ORDERS_READ, Scope.ORDERS_WRITE)
    async with shop.database.transaction() as session:
        person = await shop.person(OWNER)
        _, secret = await tokens.make_token(
            session, person, name="Guide", scopes=scopes, life=timedelta(days=1), at=now()
        )

    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={
            "PATH": os.environ["PATH"],
            "GALLEY_URL": shop.site.base_url,
            "GALLEY_TOKEN": secret,
            "GALLEY_ORDER": str(order_id),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 0
    assert said.decode().splitlines() == [
        "A version waits for your decision.",
        "The editors have the version now.",
    ]
    async with shop.database.transaction() as session:
        assert (await session.get_one(Order, order_id)).status is OrderStatus.ADMIN_REVIEW
