"""Taking one's data away, and leaving."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import func, select, text, update

from models.accounts import leaving, tokens
from models.accounts.personal import tables_of
from models.accounts.states import Role, Scope
from models.accounts.tables import ApiToken, AuditEntry, Person, Session, SignInRequest
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.everything import metadata
from models.jobs import enqueue
from models.mail.tables import EmailMessage
from models.notices.jobs import Email, ForgetNotices, Notification
from tests.accounts.conftest import Browsers, session_of, sign_in

#: Tables with a `person_id` that is not the owner's would be given to the wrong person.
PEOPLE = "accounts_people"


def read(content: bytes) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name.removesuffix(".json"): orjson.loads(archive.read(name)) for name in archive.namelist()}


async def test_ada_takes_everything_of_hers_away_and_nothing_of_others(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, bob = browsers(), browsers()
    await sign_in(bob, database, keys, "bob@example.com")
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        people = {one.email: one.id for one in await session.scalars(select(Person))}
        letter = Email("carol@example.com", "Bread", "It rises.")
        await enqueue(session, letter, asked_by=people["ada@example.com"])
        await enqueue(session, ForgetNotices(), asked_by=people["ada@example.com"])
        await enqueue(session, Notification("Not hers"), asked_by=people["bob@example.com"])
    screen = await ada.open((await ada.open("/account")).link("Your data"))
    screen = await ada.submit(screen.form("/account/data/export"))
    assert screen.response.headers["content-type"] == "application/zip"
    assert screen.response.headers["content-disposition"].startswith('attachment; filename="galley-')
    found = read(screen.response.content)
    assert [one["email"] for one in found[PEOPLE]] == ["ada@example.com"]
    assert [one["method"] for one in found["accounts_sessions"]] == ["link"]
    assert [one["kind"] for one in found["email_messages"]] == ["accounts.sign_in"]
    assert [one["action"] for one in found["accounts_audit_entries"]] == ["signed_in"]
    assert found["orders"] == []
    asked_for = [(one["kind"], one["args"]["subject"]) for one in found["jobs"]]
    assert asked_for == [("notices.email", "Bread")], "not what she asked for as one of the shop"
    assert "secret" not in found["jobs"][0]
    everything = str(found)
    assert "bob@example.com" not in everything
    for secret in ("token_hash", "code_mac", "sealed", "browser_hash", "digest"):
        assert secret not in everything


async def test_every_table_that_names_its_owner_is_taken_away() -> None:
    taken = {table.name for table, _ in tables_of(Person(email="ada@example.com"), [Email.kind])}
    with_owner = {
        table.name
        for table in metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == PEOPLE and key.parent.name == "person_id"
    }
    assert with_owner <= taken
    hanging = {"orders_transitions", "orders_messages", "orders_versions", "payments_refunds"}
    assert hanging <= taken, "what hangs on an order or a payment"
    assert "jobs" in taken
    inner = {"orders_articles", "orders_sites", "job_attempts", "job_logs"}
    assert not inner & taken, "what is the shop's, as tracebacks are"


async def test_ada_leaves_and_is_forgotten_but_for_what_was_written_down(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        person = (await session.scalars(select(Person))).one()
        ask: dict[str, Any] = {"scopes": [Scope.ORDERS_READ], "life": timedelta(days=7), "at": now()}
        _, secret = await tokens.make_token(session, person, name="Cron", **ask)
    screen = await ada.open("/account/data")
    screen = await ada.submit(screen.form("deletion"), email="bob@example.com")
    assert (screen.status, "This is not your address" in screen.text) == (422, True)
    screen = await ada.submit(screen.form("deletion"), email="ADA@example.com")
    assert screen.path == "/"
    assert "Your account is deleted" in screen.text
    assert session_of(ada) is None

    async with database.transaction() as session:
        left = (await session.scalars(select(Person))).one()
        for table in (Session, ApiToken, SignInRequest):
            assert await session.scalar(select(func.count()).select_from(table)) == 0
        assert await tokens.find_token(session, secret, now()) is None
        letter = (await session.scalars(select(EmailMessage))).one()
        actions = (await session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))).all()
        names = metadata.tables.keys()
        rows = [
            (await session.execute(text(f"select t::text from {name} t"))).scalars().all() for name in names
        ]
    assert (left.email, left.role) == (leaving.nobody(left), Role.CUSTOMER)
    assert left.erased_at
    assert left.disabled_at
    assert (letter.state, letter.facts, letter.sealed_facts) == ("obsolete", {}, None)
    assert actions == ["signed_in", "token.made", "account.deleted"]
    assert "ada@example.com" not in str(rows)

    # Whoever comes with this address now is somebody new.
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        ids = (await session.scalars(select(Person.id).order_by(Person.id))).all()
    assert ids[0] == left.id
    assert len(ids) == 2


async def test_both_want_a_recent_sign_in(browsers: Browsers, database: Database, keys: Keys) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    screen = await ada.open("/account/data")
    export, deletion = screen.form("/account/data/export"), screen.form("deletion")
    async with database.transaction() as session:
        await session.execute(update(Session).values(authenticated_at=now() - timedelta(minutes=11)))
    assert (await ada.open("/account/data")).path == "/sign-in"
    assert (await ada.submit(export)).path == "/sign-in"
    assert (await ada.submit(deletion, email="ada@example.com")).path == "/sign-in"
    async with database.transaction() as session:
        assert (await session.scalars(select(Person.erased_at))).one() is None


async def test_the_only_admin_cannot_leave_and_the_second_can(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    boss = browsers()
    await sign_in(boss, database, keys, "boss@example.com")
    screen = await boss.open("/account/data")
    assert "You are the only admin" in screen.text
    forced = screen.form("/account/data/export").fields | {"email": "boss@example.com"}
    screen = await boss.send("/account/data/deletion", "post", forced)
    assert (screen.status, "You are the only admin" in screen.text) == (409, True)
    async with database.transaction() as session:
        session.add(Person(email="second@example.com", role=Role.ADMIN))
    screen = await boss.open("/account/data")
    assert (await boss.submit(screen.form("deletion"), email="boss@example.com")).path == "/"


async def test_an_export_is_not_made_all_day(browsers: Browsers, database: Database, keys: Keys) -> None:
    ada = browsers(ip="203.0.113.77")
    await sign_in(ada, database, keys)
    form = (await ada.open("/account/data")).form("/account/data/export")
    statuses = [(await ada.submit(form)).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
