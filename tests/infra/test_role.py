"""The product's own role in PostgreSQL: two names that take turns, and one owner of everything."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from infra.aws.role import make_role
from infra.local.embedded import EmbeddedPostgres

OWNER = "role_test_owner"


@pytest.fixture
async def url(postgres: EmbeddedPostgres) -> AsyncIterator[URL]:
    url = make_url(postgres.database("role_test"))
    yield url
    master = await asyncpg.connect(postgres.url)
    await master.execute("drop database role_test with (force)")
    await master.execute("drop role role_test_a, role_test_b, role_test_owner")
    await master.close()


async def sign_in(url: URL, name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection:
    product = url.set(username=name, password=password).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", product)
    monkeypatch.setenv("PGUSER", str(url.username))
    monkeypatch.setenv("PGPASSWORD", "")
    await make_role(OWNER)
    return await asyncpg.connect(product)


async def test_what_one_name_made_belongs_to_the_other_as_well(url: URL, monkeypatch: pytest.MonkeyPatch):
    first = await sign_in(url, "role_test_a", 'it\'s a "secret"', monkeypatch)
    await first.execute("create table things (id int)")
    second = await sign_in(url, "role_test_b", "another", monkeypatch)
    await second.execute("alter table things add column name text")
    again = await sign_in(url, "role_test_a", "a third", monkeypatch)

    assert await again.fetchval("select tableowner from pg_tables where tablename = 'things'") == OWNER
    assert not await again.fetchval("select rolsuper from pg_roles where rolname = session_user")
    for one in (first, second, again):
        await one.close()
