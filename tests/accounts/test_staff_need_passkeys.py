"""In production nobody works here by a letter alone: they are led to a passkey, and from there to where they were going."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from infra.local.embedded import EmbeddedRedis
from models.accounts import tokens
from models.accounts.__main__ import _remove_passkeys
from models.accounts.actions import make_admin
from models.accounts.states import Role, Scope
from models.accounts.tables import AuditEntry, Passkey, Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.settings import Settings
from models.base.settings.selling import AccountSettings
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import Browsers, later, sign_in
from tests.accounts.test_passkeys import EDITOR, add, ed_signed_in
from tests.web.site import Site, settings_for

ADDING = "/account/passkeys/new"


@pytest.fixture
def settings(database_url: str, redis_server: EmbeddedRedis) -> Settings:
    """A shop in production."""
    return settings_for(database_url, redis_server.url, environment="production")


async def test_the_first_admin_is_led_from_the_command_lines_link_to_a_passkey_and_on_and_so_after_losing_it(
    browsers: Browsers, database: Database, keys: Keys, settings: Settings
) -> None:
    async with database.transaction() as session:
        _, link = await make_admin(
            session, "boss@example.com", keys=keys, public_url=settings.app.public_url, at=now()
        )
    boss = browsers()
    screen = await boss.open(urlsplit(link).path)
    screen = await boss.submit(screen.form("/sign-in/confirm"))
    assert screen.path == ADDING
    assert "Whoever works here needs a passkey" in screen.text
    assert "Passkeys need JavaScript" in screen.html
    screen = await add(boss, Authenticator())
    assert (screen.path, "Laptop is added" in screen.text) == ("/admin", True)
    assert "Whoever works here" not in (await boss.open(ADDING)).text

    async with database.transaction() as session:
        assert (await _remove_passkeys(session, settings, "boss@example.com"))[0]
    assert (await boss.open("/office?page=2")).path == "/sign-in"
    assert (await sign_in(boss, database, keys, "boss@example.com")).path == ADDING
    screen = await add(boss, Authenticator())
    assert str(screen.response.url).endswith("/office?page=2")


async def test_without_a_passkey_staff_open_their_account_and_nothing_else(
    browsers: Browsers, database: Database, keys: Keys, shop: Site
) -> None:
    ed = await ed_signed_in(browsers, database, keys)
    boss = browsers()
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    await sign_in(boss, database, keys, "boss@example.com")
    for path in ("/account", "/account/sessions", "/account/passkeys", "/"):
        assert (await ed.open(path)).path == path
    assert (await ed.open("/office")).status == 404
    staffs = {one.path for one in shop.app.routes if one.path.startswith("/admin") and "{" not in one.path}
    assert len(staffs) > 20
    for path in staffs | {"/desk", "/office", "/orders", "/reports/new", "/account/tokens/new"}:
        answer = await boss.client.get(path)
        assert (answer.status_code, answer.headers.get("location")) in ((303, ADDING), (405, None)), path

    # Programs, streams and parts of pages are told in their own ways.
    for path, accept in (
        ("/api/queue/stats", "*/*"),
        ("/desk", "application/json"),
        ("/desk", "text/event-stream"),
    ):
        answer = await ed.client.get(path, headers={"Accept": accept})
        assert (answer.status_code, "needs a passkey" in answer.json()["detail"]) == (403, True)
    answer = await ed.client.get("/desk", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (200, ADDING)
    assert "wanted" not in str(answer.headers.get_list("set-cookie"))  # a part is no page to go back to


async def test_whose_letter_was_too_long_ago_signs_in_again_adds_a_passkey_and_goes_on(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ed = await ed_signed_in(browsers, database, keys)
    await later(database)
    assert (await ed.open("/desk")).path == "/sign-in"
    assert (await sign_in(ed, database, keys, EDITOR)).path == ADDING
    assert (await add(ed, Authenticator())).response.text == "desk"


async def test_customers_need_none(browsers: Browsers, database: Database, keys: Keys) -> None:
    ada = browsers()
    await ada.open("/probe/draft")
    assert (await sign_in(ada, database, keys)).response.text == "draft of ada@example.com"


async def test_a_token_of_staff_opens_nothing_while_they_have_no_passkey(
    browsers: Browsers, database: Database
) -> None:
    async with database.transaction() as session:
        ed = Person(email=EDITOR, role=Role.EDITOR)
        session.add(ed)
        await session.flush()
        life = timedelta(days=7)
        _, secret = await tokens.make_token(
            session, ed, name="Cron", scopes=[Scope.JOBS_READ], life=life, at=now()
        )
    program, headers = browsers(), {"Authorization": f"Bearer {secret}"}
    refused = await program.client.get("/api/queue/stats", headers=headers)
    assert (refused.status_code, "needs a passkey" in refused.json()["detail"]) == (403, True)
    async with database.transaction() as session:
        query = select(AuditEntry.detail).where(AuditEntry.action == "token.refused")
        assert (await session.scalars(query)).one()["why"] == "no passkey"
        row = {"name": "Laptop", "credential_id": b"1", "public_key": b"1", "sign_count": 0, "transports": []}
        session.add(Passkey(id=new_id(), person_id=ed.id, created_at=now(), **row))
    assert (await program.client.get("/api/queue/stats", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("said", "is_local", "wants"),
    [(None, False, True), (None, True, False), (False, False, False), (True, True, True)],
)
def test_it_is_wanted_in_production_unless_something_else_is_said(
    said: bool | None,
    is_local: bool,
    wants: bool,
) -> None:
    assert AccountSettings(staff_need_passkeys=said).want_passkeys(is_local=is_local) is wants
