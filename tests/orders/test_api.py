"""The JSON interface of orders: its shapes, its refusals, its description."""

from typing import Any
from uuid import uuid4

import httpx2

from infra.local.visitor import Browser
from tests.orders.selling import ANCHOR, Shop

BASE = "/api/v1/purchase"


async def _post(browser: Browser, path: str, body: Any, **headers: str) -> httpx2.Response:
    page = await browser.open("/orders")
    token = next(form.fields["_csrf_token"] for form in page.forms if form.action == "/sign-out")
    headers = {"X-CSRF-Token": token, "Origin": browser.origin, "Accept": "application/json"} | headers
    return await browser.client.post(f"{BASE}/{path}", json=body, headers=headers)


async def test_an_order_is_followed_regenerated_and_submitted_by_a_program(shop: Shop):
    async with shop.site.browser() as ada:
        await shop.buy(ada)
        order_id = str(await shop.order_id())
        seen = (await ada.client.get(f"{BASE}/status/{order_id}")).json()
        version = seen.pop("version")
        assert ANCHOR in version.pop("content")
        assert version.pop("versionId")
        assert version == {"qcStatus": "passed"}
        assert seen == {
            "status": "QUALITY_CHECK",
            "statusMessage": "A version waits for your decision.",
            "progress": {"step": 2, "total": 4, "description": "Waiting for your decision"},
            "queue": {"hasActiveJob": False, "jobs": []},
            "canRegenerateBacklink": True,
            "canSubmitForReview": True,
        }

        asked = await _post(ada, "regenerate-backlink", {"orderId": order_id})
        assert asked.status_code == 200
        answer = asked.json()
        assert answer["success"] is True
        assert set(answer) == {"success", "message", "data"}
        assert set(answer["data"]) == {"jobId", "estimatedTime", "note"}
        working = (await ada.client.get(f"{BASE}/status/{order_id}")).json()
        assert working["status"] == "PROCESSING"
        assert working["queue"]["hasActiveJob"] is True
        assert working["queue"]["jobs"][0]["jobId"] == answer["data"]["jobId"]
        assert working["canSubmitForReview"] is False

        again = await _post(ada, "regenerate-backlink", {"orderId": order_id})
        assert again.status_code == 409
        assert again.headers["content-type"] == "application/problem+json"
        assert "being made already" in again.json()["detail"]

        await shop.work()
        done = (await ada.client.get(f"{BASE}/status/{order_id}")).json()
        assert done["canRegenerateBacklink"] is False, "the wait between two is not over"
        body = {"orderId": order_id, "versionId": done["version"]["versionId"]}
        submitted = await _post(ada, "submit-for-review", body)
        assert submitted.status_code == 200
        assert submitted.json()["data"] == body | {"status": "ADMIN_REVIEW"}


async def test_every_refusal_is_a_problem_that_says_what_to_do(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as nobody:
        await shop.site.sign_in(ada, "ada@example.com")
        unknown = str(uuid4())
        refused = {
            401: await nobody.client.get(f"{BASE}/status/{unknown}"),
            403: await _post(ada, "regenerate-backlink", {"orderId": unknown}, **{"X-CSRF-Token": "x"}),
            404: await _post(ada, "regenerate-backlink", {"orderId": unknown}),
            422: await _post(ada, "submit-for-review", {"orderId": "1", "versionId": unknown}),
        }
        for status, answer in refused.items():
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
            assert answer.json()["detail"]
        assert set(refused[422].json()["fields"]) == {"orderId"}
        bodies: tuple[Any, ...] = ({}, [], {"orderId": unknown, "extra": 1})
        for body in bodies:
            assert (await _post(ada, "regenerate-backlink", body)).status_code == 422
        assert (await ada.client.get(f"{BASE}/status/not-an-id")).status_code == 404
