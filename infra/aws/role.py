"""The product's own role in PostgreSQL. RDS changes the master's password as it likes; nothing of ours may depend on it.

Tables belong to one role that nobody can sign in as; whoever signs in acts as that role. So two names can take turns when
a password is changed (docs/deploy.md), and tables that one of them made are the other's as well.
"""

import base64
import hashlib
import hmac
import os
from typing import Final

import asyncpg
from sqlalchemy.engine import URL, make_url

OWNER: Final = "galley"
#: How often a password is hashed: PostgreSQL's own number (`scram_iterations`).
ITERATIONS: Final = 4096

_OTHERS: Final = """
select member.rolname from pg_auth_members
  join pg_roles member on member.oid = pg_auth_members.member
  join pg_roles owner on owner.oid = pg_auth_members.roleid
 where owner.rolname = $1 and member.rolcanlogin and member.rolname not in ($2, current_user)
"""


async def make_role(owner: str = OWNER, *, is_alone: bool = False) -> None:
    """Let the user of DATABASE_URL sign in with its password and own everything, as PGUSER with PGPASSWORD says.

    To do it again with another password changes the password. `is_alone` takes the way in from the other name: for when
    every process signs in as this one.
    """
    url = make_url(os.environ["DATABASE_URL"])
    as_master = url.set(
        drivername="postgresql", username=os.environ["PGUSER"], password=os.environ["PGPASSWORD"]
    )
    master = await asyncpg.connect(as_master.render_as_string(hide_password=False))
    try:
        await _make(master, url, owner)
        if is_alone:
            for other in await master.fetch(_OTHERS, owner, url.username):
                await _say(master, "alter role %I nologin", other["rolname"])
    finally:
        await master.close()


async def _make(master: asyncpg.Connection, url: URL, owner: str) -> None:
    for role in (owner, url.username):
        if not await master.fetchval("select 1 from pg_roles where rolname = $1", role):
            await _say(master, "create role %I", role)
    await _say(master, "grant %I to current_user", owner)
    await _say(master, "alter role %I login password %L", url.username, verifier(str(url.password)))
    await _say(master, "grant %I to %I", owner, url.username)
    await _say(master, "alter role %I set role to %I", url.username, owner)
    await _say(master, "alter database %I owner to %I", url.database, owner)


def verifier(password: str) -> str:
    """What PostgreSQL keeps of a password (RFC 5803): a statement that fails is logged, and this one may be read.

    Raises `ValueError` if there is more in it than ASCII, which both sides would first have to write the same way.
    """
    if not password.isascii():
        raise ValueError("The password in DATABASE_URL may have letters, digits and signs of ASCII alone.")
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(one).decode() for one in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"


async def _say(master: asyncpg.Connection, words: str, *names: object) -> None:
    """Such commands take no parameters: PostgreSQL itself quotes the names."""
    places = ", ".join(f"${place}::text" for place in range(2, len(names) + 2))
    await master.execute(await master.fetchval(f"select format($1, {places})", words, *map(str, names)))
