"""The product's own role in PostgreSQL: two names that take turns, and one owner of everything."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from infra.aws.role import make_role, verifier
from infra.local.embedded import EmbeddedPostgres

OWNER = "role_test_owner"
SIGN_IN = ("role_test_master", "role_test_a", "role_test_b")


@pytest.fixture
async def url(postgres: EmbeddedPostgres) -> AsyncIterator[URL]:
    """A database as RDS hands it over: its master may make roles, and is no superuser; passwords count."""
    url = make_url(postgres.database("role_test")).set(username="role_test_master", password="the master's")
    admin = await asyncpg.connect(postgres.url)
    await admin.execute("create role role_test_master login createrole createdb password 'the master''s'")
    await admin.execute("alter database role_test owner to role_test_master")
    with passwords_count(Path(await admin.fetchval("show hba_file"))):
        await admin.execute("select pg_reload_conf()")
        async with asyncio.timeout(10):
            while await can_sign_in(url.set(password="no")):
                await asyncio.sleep(0.005)
        yield url
    await admin.execute("select pg_reload_conf()")
    await admin.execute("drop database role_test with (force)")
    await admin.execute(f"drop role if exists {', '.join((*SIGN_IN, OWNER))}")
    await admin.close()


@contextmanager
def passwords_count(rules: Path) -> Iterator[None]:
    """The tests' server believes everybody; meanwhile it believes these no more."""
    before = rules.read_text()
    rules.write_text(f"local role_test {','.join(SIGN_IN)} scram-sha-256\n{before}")
    yield
    rules.write_text(before)


async def can_sign_in(url: URL) -> bool:
    try:
        connection = await connect(url)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        return False
    await connection.close()
    return True


async def connect(url: URL) -> asyncpg.Connection:
    return await asyncpg.connect(url.render_as_string(hide_password=False))


async def test_two_names_take_turns_and_the_former_is_shut_out_when_nobody_needs_it(
    url: URL, monkeypatch: pytest.MonkeyPatch
):
    async def make(product: URL, *, is_alone: bool = False) -> asyncpg.Connection:
        monkeypatch.setenv("DATABASE_URL", product.render_as_string(hide_password=False))
        monkeypatch.setenv("PGUSER", str(url.username))
        monkeypatch.setenv("PGPASSWORD", str(url.password))
        await make_role(OWNER, is_alone=is_alone)
        return await connect(product)

    one = url.set(username="role_test_a", password='it\'s a "secret"')
    other = url.set(username="role_test_b", password="another")
    first = await make(one)
    await first.execute("create table things (id int)")
    second = await make(other)
    await second.execute("alter table things add column name text")
    assert await can_sign_in(one), "who still runs with the former name goes on"
    third = await make(other, is_alone=True)
    assert not await can_sign_in(one)
    fourth = await make(one.set(password="a third"))

    assert await fourth.fetchval("select tableowner from pg_tables where tablename = 'things'") == OWNER
    assert not await fourth.fetchval("select rolsuper from pg_roles where rolname = session_user")
    assert not await can_sign_in(one)
    assert await can_sign_in(url), "the master is nobody's other name"
    for connection in (first, second, third, fourth):
        await connection.close()


def test_what_a_statement_says_of_a_password_is_salted_and_does_not_have_it():
    said = verifier("hunter2")

    assert "hunter2" not in said
    assert said != verifier("hunter2")
    with pytest.raises(ValueError, match="ASCII"):
        verifier("grüße")
