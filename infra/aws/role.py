"""The product's own role in PostgreSQL. RDS changes the master's password as it likes; nothing of ours may depend on it.

Tables belong to one role that nobody can sign in as; whoever signs in acts as that role. So two names can take turns when
a password is changed (docs/deploy.md), and tables that one of them made are the other's as well.
"""

import os
from typing import Final

import asyncpg
from sqlalchemy.engine import URL, make_url

OWNER: Final = "galley"


async def make_role(owner: str = OWNER) -> None:
    """Let the user of DATABASE_URL sign in with its password and own everything, as PGUSER with PGPASSWORD says.

    To do it again with another password changes the password.
    """
    url = make_url(os.environ["DATABASE_URL"])
    as_master = url.set(
        drivername="postgresql", username=os.environ["PGUSER"], password=os.environ["PGPASSWORD"]
    )
    master = await asyncpg.connect(as_master.render_as_string(hide_password=False))
    try:
        await _make(master, url, owner)
    finally:
        await master.close()


async def _make(master: asyncpg.Connection, url: URL, owner: str) -> None:
    for role in (owner, url.username):
        if not await master.fetchval("select 1 from pg_roles where rolname = $1", role):
            await _say(master, "create role %I", role)
    await _say(master, "grant %I to current_user", owner)
    await _say(master, "alter role %I login password %L", url.username, url.password)
    await _say(master, "grant %I to %I", owner, url.username)
    await _say(master, "alter role %I set role to %I", url.username, owner)
    await _say(master, "alter database %I owner to %I", url.database, owner)


async def _say(master: asyncpg.Connection, words: str, *names: object) -> None:
    """Such commands take no parameters: PostgreSQL itself quotes the names."""
    places = ", ".join(f"${place}::text" for place in range(2, len(names) + 2))
    await master.execute(await master.fetchval(f"select format($1, {places})", words, *map(str, names)))
