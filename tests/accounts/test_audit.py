"""The audit log: added to by many at once, altered by nobody, and searched."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models.accounts.__main__ import _verify_audit
from models.accounts.audit import audit, digest_of, search, verify
from models.accounts.states import Role
from models.accounts.tables import AuditEntry, Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.paging import PAGE_SIZE
from tests.accounts.conftest import Browsers, sign_in

PUT_IN = (
    "insert into accounts_audit_entries (actor, action, subject, digest)"
    " values ('system', 'put.in', 'order/1', '\\x00')"
)


async def write(database: Database, *actions: str, subject: str = "order/1") -> None:
    for action in actions:
        async with database.transaction() as session:
            await audit(session, "system", action, subject, reason="Because.", count=2)


async def test_twenty_who_write_at_once_make_one_chain(database: Database) -> None:
    async def one(number: int) -> None:
        async with database.transaction() as session:
            await audit(session, "system", f"first.{number}", "order/1")
            await session.execute(text("select pg_sleep(0.001)"))
            await audit(session, "system", f"second.{number}", "order/1", nested="ü ☃", none=None, yes=True)

    await asyncio.gather(*(one(number) for number in range(20)))
    async with database.transaction() as session:
        verdict = await verify(session)
        rows = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert (verdict.checked, verdict.broken_id) == (40, None)
    assert verdict.digest == rows[-1].digest
    assert len({row.digest for row in rows}) == 40


async def test_what_was_undone_leaves_no_entry_and_what_was_done_leaves_its_own(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await audit(session, "system", "never.happened", "order/1")
            raise ZeroDivisionError
    async with database.transaction() as session:
        await audit(session, "system", "before", "order/1")
        with pytest.raises(ZeroDivisionError):
            async with session.begin_nested():
                await audit(session, "system", "undone", "order/1")
                async with session.begin_nested():
                    await audit(session, "system", "undone.within", "order/1")
                raise ZeroDivisionError
        async with session.begin_nested():
            await audit(session, "system", "kept", "order/1")
        await audit(session, "system", "after", "order/1")
    async with database.transaction() as session:
        rows = (await session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))).all()
        assert (await verify(session)).broken_id is None
    assert rows == ["before", "kept", "after"]


@pytest.mark.parametrize(
    "statement",
    [
        "update accounts_audit_entries set action = 'nothing'",
        "delete from accounts_audit_entries",
        "truncate accounts_audit_entries",
    ],
)
async def test_the_database_refuses_to_alter_or_remove_an_entry(database: Database, statement: str) -> None:
    await write(database, "order.approved")
    with pytest.raises(DBAPIError, match="only ever added to"):
        async with database.transaction() as session:
            await session.execute(text(statement))


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("update accounts_audit_entries set action = 'four.else' where id = 4", 4),
        ("update accounts_audit_entries set detail = '{}' where id = 4", 4),
        ("update accounts_audit_entries set at = at + interval '1 second' where id = 4", 4),
        ("update accounts_audit_entries set actor_id = gen_random_uuid() where id = 4", 4),
        ("delete from accounts_audit_entries where id = 4", 5),
        ("delete from accounts_audit_entries where id = 1", 2),
        ("update accounts_audit_entries set id = 40 where id = 4", 5),
        (PUT_IN, 7),
    ],
)
async def test_whoever_switches_the_trigger_off_is_found_out_at_the_first_row_that_is_not_right(
    database: Database, tampering: str, broken: int
) -> None:
    await write(database, "one", "two", "three", "four", "five", "six")
    async with database.transaction() as session:
        await session.execute(text("set local session_replication_role = replica"))
        await session.execute(text(tampering))
    async with database.transaction() as session:
        is_good, words = await _verify_audit(session)
    assert not is_good
    assert f"BROKEN at row {broken}:" in words


async def test_the_command_says_how_many_rows_are_right_and_what_to_keep(database: Database) -> None:
    await write(database, "one", "two")
    async with database.transaction() as session:
        is_good, words = await _verify_audit(session)
        last = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
    assert is_good
    assert words.startswith("2 rows")
    assert last.digest.hex() in words


async def test_a_digest_is_of_everything_but_the_row_number(database: Database) -> None:
    await write(database, "one")
    async with database.transaction() as session:
        row = (await session.scalars(select(AuditEntry))).one()
        session.expunge(row)
    kept = row.digest
    assert digest_of(bytes(32), row) == kept
    row.id = 99
    assert digest_of(bytes(32), row) == kept
    row.at += timedelta(microseconds=1)
    assert digest_of(bytes(32), row) != kept


async def test_entries_are_found_by_person_action_and_subject_page_by_page(database: Database) -> None:
    async with database.transaction() as session:
        boss = Person(email="boss@example.com", role=Role.ADMIN)
        session.add(boss)
        await session.flush()
        for number in range(PAGE_SIZE + 2):
            await audit(session, boss, "order.approved", f"order/{number}")
        await audit(session, "system", "order.rejected", "order/1")
        await audit(session, "command line", "role.changed", f"person/{boss.id}")
    async with database.transaction() as session:
        first = await search(session, person_id=boss.id)
        rest = await search(session, person_id=boss.id, cursor=first.next_cursor)
        by_action = await search(session, action="order.r")
        by_subject = await search(session, subject="order/1")
        literally = await search(session, action="order%")
    assert (len(first.items), len(rest.items), rest.next_cursor) == (PAGE_SIZE, 3, None)
    assert first.items[0][0].action == "role.changed"
    assert {email for _, email in rest.items} == {"boss@example.com"}
    assert [one.action for one, _ in by_action.items] == ["order.rejected"]
    assert [one.action for one, _ in by_subject.items] == ["order.rejected", "order.approved"]
    assert literally.items == []


async def test_admins_read_the_log_and_nobody_else_does(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add_all(
            [
                Person(email="boss@example.com", role=Role.ADMIN),
                Person(email="ed@example.com", role=Role.EDITOR),
            ]
        )
    boss, ed = browsers(), browsers()
    await sign_in(boss, database, keys, "boss@example.com")
    await sign_in(ed, database, keys, "ed@example.com")
    assert (await ed.open("/admin/audit")).status == 404
    screen = await boss.open("/admin/audit")
    assert screen.text.count("signed_in") == 2
    screen = await boss.open("/admin/audit?person=ED@example.com&action=signed")
    assert screen.text.count("signed_in") == 1
    assert "ed@example.com" in screen.text
    for nothing in ("person=nobody@example.com", "action=x'; drop", "subject=%00", "person=%F0%9F%92%A9"):
        screen = await boss.open(f"/admin/audit?{nothing}")
        assert screen.status == 200
    assert (await boss.open("/admin/audit?cursor=nonsense")).status == 422


async def test_refusals_are_written_down_without_an_address(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="gone@example.com", disabled_at=now()))
    gone = browsers()
    screen = await sign_in(gone, database, keys, "gone@example.com")
    assert screen.status == 403
    async with database.transaction() as session:
        (row,) = (await session.scalars(select(AuditEntry))).all()
        told = (
            await session.execute(text("select accounts_audit_entries::text from accounts_audit_entries"))
        ).scalar()
        assert await session.scalar(select(func.count()).select_from(Person)) == 1
    assert (row.action, row.detail) == ("sign_in.refused", {"why": "closed"})
    assert "gone@example.com" not in str(told)
