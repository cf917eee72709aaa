"""A statement that is refused, cut off or cancelled, by itself or in a transaction: it is told, and the next one is well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from models.base.db import Database, fetch

_BACKEND = "select pg_backend_pid()"


@pytest.fixture
async def alone(process_database: str) -> AsyncIterator[Database]:
    """A database with a single connection: what one statement leaves behind, the next one gets."""
    database = Database(process_database, pool_size=1)
    yield database
    await database.close()


async def _ask(database: Database, statement: str, *values: object) -> object:
    async with database.statement() as session:
        ((found,),) = await fetch(session, statement, *values)
    return found


async def test_what_the_server_refuses_says_why_and_keeps_the_connection(alone: Database) -> None:
    backend = await _ask(alone, _BACKEND)
    with pytest.raises(DBAPIError, match="division by zero") as refused:
        await _ask(alone, "select $1::int / 0", 42)
    assert isinstance(refused.value.orig, asyncpg.DivisionByZeroError)
    assert "42" not in str(refused.value)
    assert await _ask(alone, _BACKEND) == backend


async def test_a_connection_that_was_cut_in_the_pool_is_replaced_unnoticed(
    alone: Database, database: Database
) -> None:
    backend = await _ask(alone, _BACKEND)
    await _ask(database, "select pg_terminate_backend($1, 2000)", backend)
    await asyncio.sleep(0.05)  # until the news of it has been read from the socket
    assert await _ask(alone, _BACKEND) not in {None, backend}


async def test_a_connection_that_is_cut_during_a_statement_is_an_error_once(alone: Database) -> None:
    with pytest.raises(DBAPIError):
        await _ask(alone, "select pg_terminate_backend(pg_backend_pid())")
    assert await _ask(alone, "select 1") == 1


async def test_a_cancelled_statement_leaves_no_answer_to_the_next(alone: Database) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await _ask(alone, "select 'late' from pg_sleep(0.5)")
    assert await _ask(alone, "select 'next'") == "next"
    assert await asyncio.gather(*(_ask(alone, "select $1::int", each) for each in range(5))) == list(range(5))


async def test_a_refusal_that_is_swallowed_in_a_transaction_is_told_by_its_commit(alone: Database) -> None:
    async with alone.statement() as session:
        await fetch(session, "create temporary table swallowed (key int primary key)")
    with pytest.raises(DBAPIError, match="its error was swallowed"):
        async with alone.transaction() as session:
            await fetch(session, "insert into swallowed values (1)")
            with suppress(IntegrityError):
                await fetch(session, "insert into swallowed values (1)")
    async with alone.transaction() as session:
        await fetch(session, "insert into swallowed values (2)")
        with suppress(IntegrityError):
            async with session.begin_nested():
                await fetch(session, "insert into swallowed values (2)")
    assert await _ask(alone, "select array_agg(key) from swallowed") == [2]


async def test_each_statement_of_a_glance_commits_and_a_transaction_after_it_is_one_again(
    alone: Database,
) -> None:
    xact = "select pg_current_xact_id()::text"
    async with alone.glance() as session:
        one, another = [list(await fetch(session, xact)) for _ in range(2)]
        with suppress(DBAPIError):
            await fetch(session, "select 1 / 0")
        assert list(await fetch(session, "select 1")) == [(1,)]
    assert one != another
    async with alone.transaction() as session:
        assert list(await fetch(session, xact)) == list(await fetch(session, xact))
