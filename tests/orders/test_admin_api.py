"""The editors' decisions for machines: with a token that may, and not with one that may not."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from models.accounts import tokens
from models.accounts.states import Scope
from models.accounts.tables import Person
from models.base.clock import now
from models.orders.states import OrderStatus
from tasks.testing import run_everything
from tests.orders.desk import Desk, open_desk

BASE = "/api/v1/admin"


async def token(desk: Desk, person: Person, *scopes: Scope) -> str:
    async with desk.database.transaction() as session:
        _, secret = await tokens.make_token(
            session, person, name="Desk", scopes=scopes, life=timedelta(days=1), at=now()
        )
    return secret


async def call(desk: Desk, secret: str, method: str, path: str, body: Any = None) -> httpx2.Response:
    async with desk.site.browser() as program:
        headers = {"Authorization": f"Bearer {secret}"}
        return await program.client.request(method, f"{BASE}/{path}", json=body, headers=headers)


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


@pytest.fixture
async def secret(desk: Desk) -> str:
    """A token that may decide."""
    return await token(desk, desk.admin, Scope.ADMIN_READ, Scope.ADMIN_WRITE)


async def test_a_program_lists_the_orders_and_approves_one(desk: Desk, secret: str):
    order = await desk.submitted()
    listed = (await call(desk, secret, "GET", "orders?status=ADMIN_REVIEW")).json()
    assert [one["orderId"] for one in listed["orders"]] == [str(order.id)]
    assert listed["nextCursor"] is None

    version = {"versionId": str(order.submitted_version_id)}
    done = await call(desk, secret, "POST", f"orders/{order.id}/approve", version)
    assert (done.status_code, done.json()["data"]["status"]) == (200, "COMPLETED")
    again = await call(desk, secret, "POST", f"orders/{order.id}/approve", version)
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    assert (await desk.order()).status is OrderStatus.COMPLETED


async def test_what_was_not_looked_at_is_not_approved(desk: Desk, secret: str):
    order = await desk.submitted()
    other = {"versionId": str(order.id)}
    assert (await call(desk, secret, "POST", f"orders/{order.id}/approve", other)).status_code == 409
    assert (await desk.order()).status is OrderStatus.ADMIN_REVIEW


async def test_a_program_sends_back_and_rejects_with_a_reason(desk: Desk, secret: str):
    order = await desk.submitted()
    silent = await call(desk, secret, "POST", f"orders/{order.id}/send-back", {"reason": " "})
    assert (silent.status_code, set(silent.json()["fields"])) == (422, {"reason"})
    back = await call(desk, secret, "POST", f"orders/{order.id}/send-back", {"reason": "Too long."})
    assert back.json()["data"]["status"] == "QUALITY_CHECK"
    gone = await call(desk, secret, "POST", f"orders/{order.id}/reject", {"reason": "Not for us."})
    assert gone.json()["data"]["status"] == "FAILED"


async def test_a_refund_is_asked_for_once(desk: Desk, secret: str):
    order = await desk.submitted()
    early = await call(desk, secret, "POST", f"orders/{order.id}/refund", {"reason": "Kindness."})
    assert early.status_code == 409
    await call(
        desk, secret, "POST", f"orders/{order.id}/approve", {"versionId": str(order.submitted_version_id)}
    )
    asked = await call(desk, secret, "POST", f"orders/{order.id}/refund", {"reason": "Kindness."})
    assert asked.status_code == 200, asked.text
    twice = await call(desk, secret, "POST", f"orders/{order.id}/refund", {"reason": "Kindness."})
    assert twice.status_code == 409


async def test_without_a_model_no_article_can_be_ordered(desk: Desk, secret: str):
    body = {"site": "second-pour", "topic": "Descaling an espresso machine at home"}
    refused = await call(desk, secret, "POST", "article-orders", body)
    assert (refused.status_code, "model" in refused.json()["detail"]) == (409, True)
    unknown = await call(desk, secret, "POST", "article-orders", body | {"site": "nowhere"})
    assert unknown.status_code == 404


@pytest.mark.parametrize("scopes", [(Scope.ORDERS_WRITE,), (Scope.ADMIN_READ,)])
async def test_a_token_decides_nothing_that_it_was_not_made_for(desk: Desk, scopes: tuple[Scope, ...]):
    order = await desk.submitted()
    weak = await token(desk, desk.admin, *scopes)
    body = {"versionId": str(order.submitted_version_id)}
    answer = await call(desk, weak, "POST", f"orders/{order.id}/approve", body)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert (await desk.order()).status is OrderStatus.ADMIN_REVIEW


async def test_a_session_decides_only_soon_after_its_sign_in(desk: Desk):
    order = await desk.submitted()
    async with await desk.browser(desk.admin, signed_in=timedelta(minutes=11)) as browser:
        page = await browser.open("/orders")
        csrf = next(form.fields["_csrf_token"] for form in page.forms if form.action == "/sign-out")
        answer = await browser.client.post(
            f"{BASE}/orders/{order.id}/approve",
            json={"versionId": str(order.submitted_version_id)},
            headers={"X-CSRF-Token": csrf, "Origin": browser.origin},
        )
    assert answer.status_code == 401
    await run_everything(desk.world)
    assert (await desk.order()).status is OrderStatus.ADMIN_REVIEW
