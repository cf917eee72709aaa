"""Leaving with orders: not while one is in work, and afterwards the amounts stay without the person."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import select, text

from models.accounts import tokens
from models.accounts.states import Scope
from models.base.clock import now
from models.everything import metadata
from models.orders.states import OrderStatus
from models.orders.tables import Order
from models.payments.tables import Checkout
from tests.orders.selling import ANCHOR, OWNER, Shop


async def test_who_has_an_order_in_work_stays_and_who_has_none_any_more_is_forgotten(shop: Shop):
    async with shop.site.browser() as ada:
        screen = await shop.buy(ada)
        await ada.submit(screen.form("message-form"), words=f"Do write to {OWNER}.")
        await shop.work()
        async with shop.site.browser() as elsewhere:
            await shop.order_form(elsewhere, target_url=shop.target("kettles"))
        screen = await ada.open("/account/data")
        assert "Order G-1001 is in work" in screen.text
        forced = screen.form("/account/data/export").fields | {"email": OWNER}
        screen = await ada.send("/account/data/deletion", "post", forced)
        assert (screen.status, "is in work" in screen.text) == (409, True)

        async with shop.database.transaction() as session:
            order = (await session.scalars(select(Order))).one()
            order.status, order.completed_at = OrderStatus.COMPLETED, now()
            paid = (await session.scalars(select(Checkout))).one().captured_cents
        screen = await ada.open("/account/data")
        packed = await ada.submit(screen.form("/account/data/export"))
        with zipfile.ZipFile(io.BytesIO(packed.response.content)) as archive:
            versions = orjson.loads(archive.read("orders_versions.json"))
        assert [(one["order_id"], ANCHOR in one["markdown"]) for one in versions] == [(str(order.id), True)]
        screen = await ada.submit(screen.form("deletion"), email=OWNER)
        assert "Your account is deleted" in screen.text

    async with shop.database.transaction() as session:
        kept = (await session.scalars(select(Checkout))).one()
        rows = {
            name: (await session.execute(text(f"select t::text from {name} t"))).scalars().all()
            for name in metadata.tables
        }
    assert kept.captured_cents == paid > 0
    assert {name for name, found in rows.items() if OWNER in str(found)} <= {"payments_invoices"}


async def test_a_program_follows_an_order_with_a_token_and_nobody_elses(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as program:
        await shop.buy(ada)
        order_id = await shop.order_id()
        person = await shop.person()
        await shop.site.person("eve@example.com")
        async with shop.database.transaction() as session:
            ask: dict[str, Any] = {
                "name": "x",
                "scopes": [Scope.ORDERS_READ],
                "life": timedelta(days=7),
                "at": now(),
            }
            _, hers = await tokens.make_token(session, person, **ask)
            _, eves = await tokens.make_token(session, await shop.person("eve@example.com"), **ask)
        path = f"/api/v1/purchase/status/{order_id}"
        answer = await program.client.get(path, headers={"Authorization": f"Bearer {hers}"})
        assert (answer.status_code, answer.json()["status"]) == (200, "QUALITY_CHECK")
        assert (
            await program.client.get(path, headers={"Authorization": f"bearer {eves}"})
        ).status_code == 404
