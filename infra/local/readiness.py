"""Whether what was started answers: the database is up to date, the pages can be read."""

import asyncio
import contextlib
import re

import asyncpg

from models.migrations import newest_revision


async def is_migrated(url: str) -> bool:
    """Whether the database has the newest schema."""
    return await _ask(url, "select version_num from alembic_version") == newest_revision()


async def is_stocked(url: str) -> bool:
    """Whether there is anything to sell."""
    return bool(await _ask(url, "select exists(select 1 from orders_sites)"))


async def _ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(plain(url), timeout=5)
    try:
        return await connection.fetchval(query)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()


def plain(url: str) -> str:
    """The URL without the name of a driver, which asyncpg does not know."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


async def answers(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Whether an HTTP server answers 200 there."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                first = await reader.readline()
    except OSError:
        return False
    return b" 200 " in first
