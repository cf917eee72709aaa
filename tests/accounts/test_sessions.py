"""Sessions, roles and the first admin, in the database."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from models.accounts import actions, queries, sessions
from models.accounts.__main__ import main as command_line
from models.accounts.audit import history_of, search
from models.accounts.states import Role
from models.accounts.tables import Person, Session
from models.base.clock import now
from models.base.crypto import Keys, fingerprint
from models.base.db import Database, new_id
from models.base.errors import NotFound
from tests.accounts.conftest import FIREFOX, letters, try_link


# ---------------------------------------------------------------- sessions and roles
async def signed_in(database: Database, email: str = "ada@example.com") -> tuple[Person, str]:
    async with database.transaction() as session:
        person = await actions._person(session, email)
        _, token = await sessions.start(session, person, method="link", user_agent=FIREFOX, ip="", at=now())
        return person, token


async def finds(database: Database, token: str, after: timedelta = timedelta()) -> bool:
    async with database.transaction() as session:
        return await sessions.find(session, token, now() + after) is not None


async def test_a_session_is_found_by_its_secret_and_kept_as_its_fingerprint(database: Database) -> None:
    person, token = await signed_in(database)
    async with database.transaction() as session:
        found = await sessions.find(session, token, now())
        assert found is not None
        assert found.person.id == person.id
        row = await session.get_one(Session, found.session_id)
        assert row.token_hash == fingerprint(token)
    assert not await finds(database, token[:-1])
    assert not await finds(database, "")


async def test_a_customers_session_ends_after_fourteen_idle_days_and_thirty_in_all(
    database: Database,
) -> None:
    _, token = await signed_in(database)
    assert not await finds(database, token, timedelta(days=14, seconds=1))
    for day in range(0, 30, 10):
        assert await finds(database, token, timedelta(days=day))
    assert not await finds(database, token, timedelta(days=30, seconds=1))


async def test_an_editors_session_ends_after_thirty_idle_minutes_and_twelve_hours(database: Database) -> None:
    person, _ = await signed_in(database)
    async with database.transaction() as session:
        await actions.set_role(session, person.id, Role.EDITOR, by="command line", at=now())
    _, token = await signed_in(database)
    assert not await finds(database, token, timedelta(minutes=30, seconds=1))
    for minutes in range(0, 12 * 60, 20):
        assert await finds(database, token, timedelta(minutes=minutes))
    assert not await finds(database, token, timedelta(hours=12))


async def test_a_new_role_ends_every_session_and_is_written_down(database: Database) -> None:
    boss, _ = await signed_in(database, "boss@example.com")
    person, token = await signed_in(database)
    async with database.transaction() as session:
        await actions.set_role(session, person.id, Role.EDITOR, by=boss, at=now())
    assert not await finds(database, token)
    async with database.transaction() as session:
        assert (await queries.person(session, person.id)).role is Role.EDITOR
        [(entry, _)] = (await search(session, person_id=boss.id, action="role.")).items
        assert (entry.action, entry.subject, entry.detail) == (
            "role.changed",
            f"person/{person.id}",
            {"before": "customer", "after": "editor"},
        )
        assert [one.email for one in await queries.staff(session)] == ["ada@example.com"]
        with pytest.raises(NotFound):
            await actions.set_role(session, new_id(), Role.ADMIN, by=boss, at=now())


async def test_sessions_of_one_person_can_only_be_ended_as_theirs(database: Database) -> None:
    ada, adas = await signed_in(database)
    bob, bobs = await signed_in(database, "bob@example.com")
    async with database.transaction() as session:
        (row,) = (await sessions.list_of(session, ada.id, now())).items
        assert not await sessions.revoke(session, row.id, person_id=bob.id, at=now())
        assert await sessions.revoke_all(session, bob.id, at=now()) == 1
    assert await finds(database, adas)
    assert not await finds(database, bobs)


async def test_revoking_tells_the_persons_open_pages(database: Database) -> None:
    person, _ = await signed_in(database)
    async with database.transaction() as session:
        await sessions.revoke_all(session, person.id, at=now())
        assert f"person/{person.id}" in session.info["news"].topics


async def test_people_are_found_by_the_beginning_of_their_address_or_of_its_domain(
    database: Database,
) -> None:
    for name in ("ada", "bob", "adele"):
        await signed_in(database, f"{name}@example.com")
    async with database.transaction() as session:
        found = await queries.people(session, search="AD")
        assert [one.email for one in found.items] == ["adele@example.com", "ada@example.com"]
        for of_the_domain in ("@example.com", "example"):
            assert len((await queries.people(session, search=of_the_domain)).items) == 3
        for nobodys in ("%", "da@", "ple.com"):
            assert (await queries.people(session, search=nobodys)).items == []


async def test_looking_for_people_reads_an_index_and_not_everybody(database: Database) -> None:
    asked: list[tuple[str, Sequence[Any]]] = []

    def note(_c: object, _k: object, statement: str, values: Sequence[Any], *_: object) -> None:
        asked.append((statement, values))

    async with database.transaction() as session:
        many = "select gen_random_uuid(), 'p' || i || '@d' || i || '.example' from generate_series(1, 5000) i"
        await session.execute(text(f"insert into accounts_people (id, email) {many}"))
        await session.execute(text("analyze accounts_people"))
        engine = database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        for search in ("p777@", "@d777."):
            assert [one.email for one in (await queries.people(session, search=search)).items] == [
                "p777@d777.example"
            ]
        event.remove(engine, "before_cursor_execute", note)
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        assert driver is not None
        assert len(asked) == 2
        for statement, values in asked:
            plan = "\n".join([row[0] for row in await driver.fetch(f"explain {statement}", *values)])
            assert "accounts_people_beginning" in plan
            assert "accounts_people_domain" in plan
            assert "Seq Scan" not in plan


# ---------------------------------------------------------------- the first admin
async def test_the_first_admin_gets_a_link_that_works_once_in_whichever_browser_is_first(
    database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        person, link = await actions.make_admin(
            session, "Boss@example.com", keys=keys, public_url="https://galley.test", at=now()
        )
    assert person.email == "boss@example.com"
    token = link.rpartition("/")[2]
    assert await letters(database, keys) == []
    first, *others = [await try_link(database, token, browser=f"b{n}") for n in range(3)]
    assert first
    assert not any(others)
    async with database.transaction() as session:
        actions_done = [entry.action for entry in await history_of(session, f"person/{person.id}")]
    assert actions_done == ["signed_in", "sign_in.link_printed", "role.changed"]


def test_the_command_line_refuses_what_is_no_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    for name, value in {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "a secret key of a test, long enough",
        "STRIPE_SECRET_KEY": "sk_test_1",
        "ENVIRONMENT": "test",
    }.items():
        monkeypatch.setenv(name, value)
    from models.base.settings import settings

    settings.cache_clear()
    try:
        assert command_line(["admin", "nobody"]) == 1
        assert "name@example.com" in capsys.readouterr().err
        assert command_line(["admin", "boss@example.com"]) == 0
        assert "/sign-in/l/" in capsys.readouterr().out
    finally:
        settings.cache_clear()
