"""Minding people."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models.accounts.states import Role
from models.accounts.tables import AuditEntry, Person
from tests.orders.desk import Desk, open_desk


@pytest.fixture
async def desk(world):
    async with open_desk(world) as one:
        yield one


async def test_an_admin_gives_another_person_a_role_and_it_is_written_down(desk: Desk):
    owner = desk.shop.people.owner
    async with await desk.browser(desk.admin) as ad, await desk.browser(owner) as ada:
        found = await ad.open("/admin/people?q=owner")
        assert "owner@example.com" in found.text
        assert "stranger@example.com" not in found.text
        screen = await ad.open(f"/admin/people/{owner.id}/role")
        screen = await ad.submit(screen.form("role-form"), role="editor")
        assert "owner@example.com is editor now" in screen.text
        assert (await ada.open("/admin/review")).path == "/sign-in"
    async with await desk.browser(owner) as ada:
        assert (await ada.open("/admin/review")).status == 200
    async with desk.database.transaction() as session:
        entry = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "role.changed"))).one()
    assert (entry.actor_id, entry.detail) == (desk.admin.id, {"before": "customer", "after": "editor"})


async def test_nobody_changes_their_own_role(desk: Desk):
    async with await desk.browser(desk.admin) as ad:
        screen = await ad.open(f"/admin/people/{desk.admin.id}/role")
        assert "You cannot change your own role" in screen.text
        other = await ad.open(f"/admin/people/{desk.shop.people.owner.id}/role")
        token = other.form("role-form").fields["_csrf_token"]
        refused = await ad.send(
            f"/admin/people/{desk.admin.id}/role", "post", {"_csrf_token": token, "role": "customer"}
        )
        assert refused.status == 403
        wrong = await ad.send(
            f"/admin/people/{desk.shop.people.owner.id}/role", "post", {"_csrf_token": token, "role": "king"}
        )
        assert wrong.status == 422
        assert "Choose a role." in wrong.text
    async with desk.database.transaction() as session:
        assert (await session.get_one(Person, desk.admin.id)).role is Role.ADMIN


async def test_giving_a_role_wants_a_recent_sign_in(desk: Desk):
    owner = desk.shop.people.owner
    async with await desk.browser(desk.admin, signed_in=timedelta(minutes=11)) as ad:
        assert (await ad.open("/admin/people")).status == 200
        token = (await ad.open("/account")).forms[0].fields["_csrf_token"]
        fields = {"_csrf_token": token, "role": "admin"}
        assert (await ad.send(f"/admin/people/{owner.id}/role", "post", fields)).path == "/sign-in"
    async with desk.database.transaction() as session:
        assert (await session.get_one(Person, owner.id)).role is Role.CUSTOMER
