"""Who may come to the editors' side: nobody but editors and admins, on any of its addresses."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.local.visitor import Browser
from tests.orders.desk import Desk, open_desk

ADMINS_ONLY = ("/admin/people", "/refund")


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


def routes(desk: Desk) -> Iterator[tuple[str, str]]:
    """Every address of the editors' side, with a method that it takes."""
    for route in desk.site.app.routes:
        is_nowhere = route.path.endswith("{address:path}")  # what answers for every address that is none
        if (route.path == "/admin" or route.path.startswith("/admin/")) and not is_nowhere:
            for method in sorted(set(getattr(route, "methods", ())) & {"GET", "POST"}):
                yield method.lower(), _filled(route.path)


def _filled(path: str) -> str:
    """The address of something that does not exist."""
    examples = {"uuid": str(uuid4()), "int": "1", "str": "nowhere"}
    return re.sub(r"\{\w+:(\w+)\}", lambda one: examples[one[1]], path)


async def token_of(browser: Browser, page: str) -> str:
    """What a form of this browser must carry."""
    return next(form.fields["_csrf_token"] for form in (await browser.open(page)).forms if form.fields)


async def test_a_customer_finds_nothing_at_any_address_of_the_editors(desk: Desk):
    order = await desk.submitted()
    async with await desk.browser(desk.shop.people.owner) as ada:
        fields = {"_csrf_token": await token_of(ada, "/account"), "reason": "Because."}
        seen = [
            (method, path, (await ada.send(path, method, fields if method == "post" else {})).status)
            for method, path in [*routes(desk), ("get", f"/admin/orders/{order.id}")]
        ]
    assert len(seen) > 15
    assert [one for one in seen if one[2] != 404] == []


async def test_who_is_not_signed_in_is_asked_to_sign_in(desk: Desk):
    async with desk.site.browser() as nobody:
        fields = {"_csrf_token": await token_of(nobody, "/sign-in")}
        for method, path in routes(desk):
            if path.endswith("/events"):
                continue
            found = await nobody.send(path, method, fields if method == "post" else {})
            assert found.path == "/sign-in", (method, path)


async def test_an_editor_may_neither_refund_ended_orders_nor_see_people(desk: Desk):
    order = await desk.submitted()
    async with await desk.browser(desk.shop.people.editor) as ed:
        fields = {"_csrf_token": await token_of(ed, "/account"), "reason": "Because.", "role": "admin"}
        for method, path in [*routes(desk), ("post", f"/admin/orders/{order.id}/refund")]:
            if any(part in path for part in ADMINS_ONLY):
                assert (await ed.send(path, method, fields if method == "post" else {})).status == 404, path
        assert "People" not in (await ed.open("/admin")).links


async def test_what_does_not_exist_is_not_found(desk: Desk):
    async with await desk.browser(desk.admin) as admin:
        fields = {"_csrf_token": await token_of(admin, "/account"), "reason": "Because.", "role": "editor"}
        for method, path in routes(desk):
            if re.search(r"[0-9a-f]{8}-", path):
                found = await admin.send(path, method, fields if method == "post" else {})
                assert found.status == 404, (method, path)
        assert (await admin.open("/admin/review?cursor=nonsense")).status == 422
        assert (await admin.open("/admin/orders?q=%00%F0&status=x&payment=y&site=z")).status == 200


async def test_the_navigation_leads_editors_to_their_side_and_customers_not(desk: Desk):
    async with (
        await desk.browser(desk.shop.people.editor) as ed,
        await desk.browser(desk.shop.people.owner) as ada,
    ):
        assert (await ed.open("/account")).link("Admin") == "/admin"
        assert "Admin" not in (await ada.open("/account")).links
